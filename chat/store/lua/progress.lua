#!lua
-- Renew the lease and store how far the reply is, for the lease's holder only.
-- ARGV: session, lease value, lease_ms, reply id or '' to renew only, offset in bytes, text,
-- pieces so far, milliseconds until the model is asked again or 0.
-- A new reply id and the offset -1 begin the text again; a text already there is not appended
-- again, so this may run twice. Tells how long the stored text is.
if redis.call('GET', lease) ~= ARGV[2] then
  return {'lost'}
end
if not alive() then
  return {'gone'}
end
local now = now_ms()
redis.call('PEXPIRE', lease, ARGV[3])
redis.call('ZADD', due, whole(now + ARGV[3]), ARGV[1])
if ARGV[4] ~= '' then
  local offset = tonumber(ARGV[5])
  if offset < 0 or redis.call('HGET', work, 'reply') ~= ARGV[4] then
    redis.call('SET', partial, ARGV[6])
  elseif redis.call('STRLEN', partial) == offset then
    redis.call('APPEND', partial, ARGV[6])
  end
  redis.call('HSET', work, 'reply', ARGV[4], 'pieces', ARGV[7], 'retry_at', whole(now + ARGV[8]))
  end_with_document(partial)
end
local head = redis.call('LINDEX', mailbox, 0)
return {
  'held',
  head and redis.call('HGET', work, 'stop:' .. head) or '',
  whole(redis.call('STRLEN', partial)),
}
