#!lua flags=no-writes
-- Load a session's lasting keys with their types and the instants at which they expire, to store them in
-- another Redis. Its lease, sockets and rates last seconds only.
if not session_exists() then
  return {'gone'}
end
local rows = {}

local function add(name, key)
  local kind = redis.call('TYPE', key).ok
  local value = false
  if kind == 'hash' then
    value = redis.call('HGETALL', key)
  elseif kind == 'list' then
    value = redis.call('LRANGE', key, 0, -1)
  elseif kind == 'zset' then
    value = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  elseif kind == 'string' then
    value = redis.call('GET', key)
  elseif kind ~= 'none' then
    kind, value = 'json', redis.call('JSON.GET', key)
  end
  if value then
    table.insert(rows, {'name', name, 'kind', kind, 'expires_ms', redis.call('PEXPIRETIME', key), 'value', value})
  end
end

local lasting = {document = document, ids = ids, mailbox = mailbox, work = work, partial = partial,
  shares = shares, ratings = ratings}
for name, key in pairs(lasting) do
  add(name, key)
end
for share in pairs(load_shares()) do
  add('snapshot:' .. share, snapshot_key(share))
end
return {'ok', 'rows', rows, 'requested_ms', tonumber(redis.call('ZSCORE', requests, arg.session) or 0)}
