#!lua
-- Put an answered message into the mailbox again, to replace its reply: the last one, or a failed one.
-- Another request while it waits changes nothing.
if not session_exists() then
  return {'unknown'}
end
if redis.call('HEXISTS', work, 'due:' .. arg.message) == 1 then
  return {'ok'}
end
local reply = redis.call('HGET', ids, 'answer:' .. arg.message)
if not reply then
  return {'absent'}
end
local stored = cjson.decode(message_at(redis.call('HGET', ids, 'bot:' .. reply)))
-- The model does not replace what a person wrote.
if stored.source == 'operator' or not stored.error and redis.call('HGET', ids, 'last') ~= reply then
  return {'not_last'}
end
local now = now_ms()
local refused = check_space() or check_pending(arg.max_pending) or check_rates(now,
  {rate, arg.per_minute, 1},
  {address_messages, arg.per_minute_per_ip, 1})
if refused then
  return refused
end
enqueue(arg.session, arg.message, reply, now, arg.grace_ms)
expire_at(now + arg.ttl_ms)
return {'ok'}
