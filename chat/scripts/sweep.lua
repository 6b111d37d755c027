#!lua
-- Find sessions with something to answer that nobody holds, and look at them again later.
-- KEYS 10: the workers. ARGV: most of them, milliseconds until again, worker. A live lease has put its session's due time ahead.
local workers = KEYS[10]
local now = now_ms()
redis.call('ZADD', workers, whole(now), ARGV[3])
redis.call('ZREMRANGEBYSCORE', workers, '-inf', whole(now - 3600000))
local found = redis.call('ZRANGEBYSCORE', due, '-inf', whole(now), 'LIMIT', 0, ARGV[1])
for _, session in ipairs(found) do
  redis.call('ZADD', due, whole(now + ARGV[2]), session)
end
return {'swept', unpack(found)}
