#!lua flags=no-writes
-- Read a session at one moment. ARGV: seq after which messages are wanted.
if not alive() then
  return {'unknown'}
end
local length = count()
local after = tonumber(ARGV[1])
local recovered = after <= length
local head = redis.call('LINDEX', mailbox, 0)
local writing = head and redis.call('EXISTS', lease) == 1 and redis.call('HGET', work, 'reply')
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
  unpack(redis.call('LRANGE', mailbox, 0, -1)),
}
