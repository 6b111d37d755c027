#!lua
-- Store a message that an operator writes without a message that waits, once for each id.
if not session_exists() then
  return {'unknown'}
end
local known = redis.call('HGET', ids, 'bot:' .. arg.message)
if known then
  write_again()
  return {'ok', 'message', message_at(known), 'new', false}
end
local now = now_ms()
if not has_operator(arg.session, now) or redis.call('HGET', operator, 'lease') ~= arg.lease then
  return {'not_joined'}
end
local refused = check_space()
if refused then
  return refused
end
local seq, message = append(arg.body, now)
redis.call('HSET', ids, 'bot:' .. arg.message, seq, 'last', arg.message)
expire_at(now + arg.ttl_ms)
count_figure('by_operator', now)
return {'ok', 'message', message, 'new', true}
