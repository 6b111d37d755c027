#!lua flags=no-writes
-- Read a session at one moment.
-- ARGV: session, seq after which messages are wanted, id of the message with that seq or ''.
if not alive() then
  return {'unknown'}
end
local now = now_ms()
local length = count()
local after = tonumber(ARGV[2])
local function is_ours(id)
  return tonumber(redis.call('HGET', ids, 'human:' .. id) or redis.call('HGET', ids, 'bot:' .. id) or 0) == after
end
local recovered = after <= length and (ARGV[3] == '' or is_ours(ARGV[3]))
local head = redis.call('LINDEX', mailbox, 0)
local is_held = head and redis.call('EXISTS', lease) == 1
local writing = is_held and redis.call('HGET', work, 'reply')
local waits = redis.call('ZCARD', waiting)
local replies = redis.call('HMGET', pace, 'reply_ms', 'at')
local since = is_held and redis.call('HGET', work, 'taken') or replies[2] or now
return {
  'read',
  redis.call('JSON.GET', document, '$.name', '$.session_start'),
  redis.call('JSON.GET', document, '$.messages[' .. whole(recovered and after or 0) .. ':]'),
  whole(redis.call('PEXPIRETIME', document)),
  whole(redis.call('PTTL', document)),
  whole(length),
  recovered and '1' or '',
  writing or '',
  writing and redis.call('GET', partial) or '',
  whole(is_held and math.max((redis.call('HGET', work, 'retry_at') or 0) - now, 0) or 0),
  whole(is_held and 0 or redis.call('ZRANK', waiting, ARGV[1]) or 0),
  whole(waits),
  whole(math.max(redis.call('ZCARD', due) - waits, 0)),
  replies[1] or '',
  whole(math.max(now - since, 0)),
  unpack(redis.call('LRANGE', mailbox, 0, -1)),
}
