#!lua
-- Store a human's message and put it into the mailbox, once for each id. It may edit an earlier one: then it
-- replaces that one and what followed it, if a worker cannot answer any of it meanwhile.
if not session_exists() then
  return {'unknown'}
end
local open_sockets = redis.call('ZCARD', sockets)
local known = redis.call('HGET', ids, 'human:' .. arg.message)
if known then
  write_again()
  return {'ok', 'message', message_at(known), 'new', false, 'sockets', open_sockets, 'waiting', 0}
end
local edited = arg.replaces ~= '' and tonumber(redis.call('HGET', ids, 'human:' .. arg.replaces) or 0)
if edited then
  if edited == 0 then
    return {'absent'}
  elseif cjson.decode(message_at(edited)).replaced_by then
    return {'replaced'}
  elseif is_waiting_from(edited) then
    return {'answering'}
  end
end
local now = now_ms()
local refused = check_space() or check_pending(arg.max_pending) or check_rates(now,
  {rate, arg.per_minute, 1},
  {address_messages, arg.per_minute_per_ip, 1},
  {address_bytes, arg.bytes_per_minute_per_ip, #arg.body})
if refused then
  return refused
end
if edited then
  replace_branch(edited, arg.message)
end
local seq, message = append(arg.body, now)
redis.call('HSET', ids, 'human:' .. arg.message, seq)
if edited then
  add_version(arg.message, versions_of(arg.replaces))
end
enqueue(arg.session, arg.message, nil, now, arg.grace_ms)
expire_at(now + arg.ttl_ms)
count_figure('accepted', now)
-- An operator's socket does not count for the session's limit of sockets.
local listeners = open_sockets + (has_operator(arg.session, now) and 1 or 0)
return {'ok', 'message', message, 'new', true, 'sockets', listeners, 'waiting', redis.call('ZCARD', waiting)}
