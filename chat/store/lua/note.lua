#!lua
-- Count something in this minute's figures and note when it last happened. ARGV: figure.
local now = now_ms()
tally(ARGV[1], now)
redis.call('HSET', this_minute(now), 'at:' .. ARGV[1], whole(now))
return {'noted'}
