#!lua
-- Find sessions with something to answer that nobody holds, and look at them again later.
-- KEYS 14: all sockets, 15: the last sweep. ARGV: most of them, milliseconds until again,
-- milliseconds a silent socket counts. A live lease has put its session's due time ahead.
local all_sockets = KEYS[14]
local now = now_ms()
redis.call('SET', KEYS[15], whole(now))
local found = redis.call('ZRANGEBYSCORE', due, '-inf', whole(now), 'LIMIT', 0, ARGV[1])
for _, session in ipairs(found) do
  wait_for_worker(session, now, now + ARGV[2])
end
redis.call('ZREMRANGEBYSCORE', all_sockets, '-inf', whole(now - ARGV[3]))
tally('swept', now)
redis.call('HSET', this_minute(now), 'sockets', redis.call('ZCARD', all_sockets), 'waiting', redis.call('ZCARD', due))
return {'swept', unpack(found)}
