#!lua
-- Count an event in this minute's statistics and record when it last happened.
local now = now_ms()
count_figure(arg.figure, now)
record_time(arg.figure, now)
return {'ok'}
