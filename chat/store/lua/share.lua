#!lua
-- Store a snapshot of a session under the id of its share, once. Its JSON comes as lines, so that a
-- reader can load it part by part.
if not session_exists() then
  return {'unknown'}
end
local known = redis.call('HGET', shares, arg.share)
if known then
  return {'ok', 'details', known, 'expires_ms', redis.call('PEXPIRETIME', snapshot_key(arg.share))}
end
local used, limit = memory()
if used and limit > 0 and used * 100 > limit * arg.full_percent then
  return {'full_store'}
end
local now = now_ms()
local count, bytes = 0, #arg.body
for share, details in pairs(load_shares()) do
  if details.ends_ms and details.ends_ms <= now then
    redis.call('HDEL', shares, share)
  else
    count, bytes = count + 1, bytes + details.bytes
  end
end
if count >= tonumber(arg.max_shares) then
  return {'too_many'}
elseif bytes > tonumber(arg.max_bytes) then
  return {'too_large'}
end
local refused = check_rates(now,
  {share_rate, arg.per_minute, 1},
  {address_shares, arg.per_minute, 1},
  {address_shared, arg.max_bytes, #arg.body})
if refused then
  return refused
end
local details = with_members(arg.details, 'bytes', #arg.body, 'created_ms', now)
local ends_ms = arg.ttl_ms ~= '' and now + arg.ttl_ms
if ends_ms then
  details = with_members(details, 'ends_ms', ends_ms)
end
local parts, first = 0, 1
while first <= #arg.body do
  -- A plain search: with a pattern, Redis would be blocked much longer.
  local last = (string.find(arg.body, '\n', first, true) or #arg.body + 1) - 1
  parts = parts + 1
  redis.call('HSET', snapshot_key(arg.share), parts, string.sub(arg.body, first, last))
  first = last + 2
end
redis.call('HSET', snapshot_key(arg.share), 'session', arg.session, 'parts', parts)
redis.call('HSET', shares, arg.share, details)
expire_with_document(shares)
expire_share(arg.share, ends_ms, redis.call('PEXPIRETIME', document))
return {'ok', 'details', details, 'expires_ms', redis.call('PEXPIRETIME', snapshot_key(arg.share))}
