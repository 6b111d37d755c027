#!lua
-- Put an answered message into the mailbox again, to replace its reply: the last one, or a failed one. Or to
-- continue the last one. Another request while it waits changes nothing.
if not session_exists() then
  return {'unknown'}
end
if redis.call('HEXISTS', work, 'due:' .. arg.message) == 1 then
  write_again()
  return {'ok'}
end
local reply = redis.call('HGET', ids, 'answer:' .. arg.message)
local stored = reply and cjson.decode(message_at(redis.call('HGET', ids, 'bot:' .. reply)))
if not stored or stored.replaced_by then
  return {'absent'}
end
-- The model does not replace what a person wrote.
if stored.source == 'operator' then
  return {'not_last'}
end
local is_last = redis.call('HGET', ids, 'last') == reply
local is_continued = arg.is_continued == '1'
if is_continued then
  local is_cut = stored.finish_reason == 'length' or stored.finish_reason == 'stop_requested'
  if not (is_last and is_cut and is_usable(stored)) then
    return {'not_continuable'}
  end
elseif not stored.error and not is_last then
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
if is_continued then
  redis.call('HSET', work, 'continues:' .. arg.message, '1')
end
expire_at(now + arg.ttl_ms)
return {'ok'}
