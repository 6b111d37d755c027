#!lua
-- Find sessions with something to answer that nobody holds, and look at them again later.
-- KEYS 11: the workers, 12: all sockets. ARGV: most of them, milliseconds until again, worker,
-- milliseconds a silent socket counts. A live lease has put its session's due time ahead.
local workers, all_sockets = KEYS[11], KEYS[12]
local now = now_ms()
redis.call('ZADD', workers, whole(now), ARGV[3])
redis.call('ZREMRANGEBYSCORE', workers, '-inf', whole(now - 3600000))
local found = redis.call('ZRANGEBYSCORE', due, '-inf', whole(now), 'LIMIT', 0, ARGV[1])
for _, session in ipairs(found) do
  redis.call('ZADD', due, whole(now + ARGV[2]), session)
end
redis.call('ZREMRANGEBYSCORE', all_sockets, '-inf', whole(now - ARGV[4]))
tally('swept', now)
redis.call('HSET', this_minute(now), 'sockets', redis.call('ZCARD', all_sockets), 'waiting', redis.call('ZCARD', due))
return {'swept', unpack(found)}
