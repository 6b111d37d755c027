#!lua
-- Store a session's keys as `export` loaded them from another Redis, in place of those that are here.
local lasting = {document = document, ids = ids, mailbox = mailbox, work = work, partial = partial,
  shares = shares, ratings = ratings}
local rows = cjson.decode(arg.rows)

-- Add members in parts: Lua passes a limited number of values to a function.
local function add(command, key, values)
  for first = 1, #values, 1000 do
    redis.call(command, key, unpack(values, first, math.min(first + 999, #values)))
  end
end

for _, row in ipairs(rows) do
  local share = string.match(row.name, '^snapshot:(.+)$')
  local key = share and snapshot_key(share) or lasting[row.name]
  redis.call('DEL', key)
  if row.kind == 'hash' then
    add('HSET', key, row.value)
  elseif row.kind == 'list' then
    add('RPUSH', key, row.value)
  elseif row.kind == 'zset' then
    for i = 1, #row.value, 2 do
      redis.call('ZADD', key, row.value[i + 1], row.value[i])
    end
  elseif row.kind == 'string' then
    redis.call('SET', key, row.value)
  else
    redis.call('JSON.SET', key, '$', row.value)
  end
  if row.expires_ms >= 0 then
    redis.call('PEXPIREAT', key, whole(row.expires_ms))
  end
end
local now = now_ms()
if session_exists() then
  expire_at(redis.call('PEXPIRETIME', document))
  local head = redis.call('LINDEX', mailbox, 0)
  if head then
    redis.call('ZADD', due, whole(now), arg.session)
    redis.call('ZADD', waiting, 'NX', redis.call('HGET', work, 'due:' .. head) or whole(now), arg.session)
  end
  if tonumber(arg.requested_ms) > 0 then
    redis.call('ZADD', requests, arg.requested_ms, arg.session)
  end
end
return {'ok'}
