#!lua
-- Renew the lease and store the partial reply, for the lease holder only. An empty reply id only
-- renews. A new reply id or the offset -1 starts the text again; text that is already stored is not
-- appended again, so this may run twice.
if not holds_lease(arg.lease) then
  return {'lost'}
end
if not session_exists() then
  return {'unknown'}
end
local now = now_ms()
redis.call('SET', lease, arg.lease, 'PX', arg.lease_ms)
if redis.call('HGET', operator, 'lease') == arg.lease then
  stop_waiting(arg.session)
else
  redis.call('ZREM', waiting, arg.session)
  redis.call('ZADD', due, whole(now + arg.lease_ms), arg.session)
end
if arg.reply ~= '' then
  local offset = tonumber(arg.offset)
  if offset < 0 or redis.call('HGET', work, 'reply') ~= arg.reply then
    redis.call('SET', partial, arg.text)
  elseif redis.call('STRLEN', partial) == offset then
    redis.call('APPEND', partial, arg.text)
  end
  local retry_at = whole(now + arg.retry_in_ms)
  redis.call('HSET', work, 'reply', arg.reply, 'pieces', arg.pieces, 'retry_at', retry_at)
  expire_with_document(partial)
end
local head = redis.call('LINDEX', mailbox, 0)
return {
  'ok',
  'stop_requested', head and redis.call('HGET', work, 'stop:' .. head),
  'length', redis.call('STRLEN', partial),
}
