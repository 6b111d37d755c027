#!lua
-- Find sessions with something to answer that nobody holds, and look at them again later.
-- KEYS 12: all sockets, 13: the last sweep. ARGV: most of them, milliseconds until again,
-- milliseconds a silent socket counts. A live lease has put its session's due time ahead.
local all_sockets = KEYS[12]
local now = now_ms()
redis.call('SET', KEYS[13], whole(now))
local found = redis.call('ZRANGEBYSCORE', due, '-inf', whole(now), 'LIMIT', 0, ARGV[1])
for _, session in ipairs(found) do
  redis.call('ZADD', due, whole(now + ARGV[2]), session)
end
redis.call('ZREMRANGEBYSCORE', all_sockets, '-inf', whole(now - ARGV[3]))
tally('swept', now)
redis.call('HSET', this_minute(now), 'sockets', redis.call('ZCARD', all_sockets), 'waiting', redis.call('ZCARD', due))
return {'swept', unpack(found)}
