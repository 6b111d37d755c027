#!lua
-- Count an event in this minute's statistics and record when it last happened. A model server names its
-- errors: whatever it sends, a minute has a limited number of figures.
local now = now_ms()
if #redis.call('HGETALL', minute_key(now)) < 1000 then
  count_figure(arg.figure, now)
  record_time(arg.figure, now)
end
return {'ok'}
