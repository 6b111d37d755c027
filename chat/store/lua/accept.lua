#!lua
-- Store a human's message and put it in the mailbox, once for each id.
-- ARGV: session, message id, body, ttl_ms, most pending, limit a minute, grace_ms.
if not alive() then
  return {'unknown'}
end
local known = redis.call('HGET', ids, 'human:' .. ARGV[2])
if known then
  return {'accepted', message_at(known), '0', whole(redis.call('ZCARD', sockets))}
end
local pending = redis.call('LLEN', mailbox)
if pending >= tonumber(ARGV[5]) then
  return {'busy'}
end
local now = now_ms()
local wait = throttle(rate, tonumber(ARGV[6]), now)
if wait > 0 then
  return {'limited', whole(wait)}
end
local seq, message = append(ARGV[3], now)
redis.call('HSET', ids, 'human:' .. ARGV[2], seq)
redis.call('HSET', work, 'due:' .. ARGV[2], whole(now))
redis.call('RPUSH', mailbox, ARGV[2])
if pending == 0 then
  wait_for_worker(ARGV[1], now, now + ARGV[7])
end
end_at(now + ARGV[4])
tally('accepted', now)
return {'accepted', message, '1', whole(redis.call('ZCARD', sockets))}
