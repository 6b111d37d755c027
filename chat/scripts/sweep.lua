#!lua
-- Find sessions with something to answer that nobody holds, and look at them again later.
-- ARGV: most of them, milliseconds until again. A live lease has put its session's due time ahead.
local now = now_ms()
local found = redis.call('ZRANGEBYSCORE', due, '-inf', whole(now), 'LIMIT', 0, ARGV[1])
for _, session in ipairs(found) do
  redis.call('ZADD', due, whole(now + ARGV[2]), session)
end
return {'swept', unpack(found)}
