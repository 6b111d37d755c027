#!lua flags=no-writes
-- Load what is known of a session's shares that have not ended.
if not session_exists() then
  return {'unknown'}
end
local found = {}
local flat = redis.call('HGETALL', shares)
for i = 1, #flat, 2 do
  local expires_ms = redis.call('PEXPIRETIME', snapshot_key(flat[i]))
  if expires_ms > now_ms() then
    table.insert(found, {'share', flat[i], 'details', flat[i + 1], 'expires_ms', expires_ms})
  end
end
return {'ok', 'shares', found}
