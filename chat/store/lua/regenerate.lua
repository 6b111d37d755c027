#!lua
-- Put an answered message into the mailbox again, to replace its reply: the last one, or a failed one.
-- ARGV: session, message id, ttl_ms, most pending, limit a minute, grace_ms.
-- Asking again while it waits is the same ask.
if not alive() then
  return {'unknown'}
end
if redis.call('HEXISTS', work, 'due:' .. ARGV[2]) == 1 then
  return {'requested'}
end
local answer = redis.call('HGET', ids, 'answer:' .. ARGV[2])
if not answer then
  return {'absent'}
end
local reply = cjson.decode(message_at(redis.call('HGET', ids, 'bot:' .. answer)))
if not reply.error and redis.call('HGET', ids, 'last') ~= answer then
  return {'not_last'}
end
local pending = redis.call('LLEN', mailbox)
if pending >= tonumber(ARGV[4]) then
  return {'busy'}
end
local now = now_ms()
local wait = throttle(rate, tonumber(ARGV[5]), now)
if wait > 0 then
  return {'limited', whole(wait)}
end
redis.call('HSET', work, 'due:' .. ARGV[2], whole(now), 'replaces:' .. ARGV[2], answer)
redis.call('RPUSH', mailbox, ARGV[2])
if pending == 0 then
  wait_for_worker(ARGV[1], now, now + ARGV[6])
end
end_at(now + ARGV[3])
return {'requested'}
