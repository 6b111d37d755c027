#!lua
-- Register an open socket, or renew it. Sockets without a recent heartbeat do not count.
if not session_exists() then
  return {'unknown'}
end
local now = now_ms()
local limits = {[sockets] = tonumber(arg.per_session), [address_sockets] = tonumber(arg.per_address)}
for key, limit in pairs(limits) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', whole(now - arg.timeout_ms))
  if not redis.call('ZSCORE', key, arg.socket) and redis.call('ZCARD', key) >= limit then
    return {'full'}
  end
end
for _, key in ipairs({sockets, address_sockets}) do
  redis.call('ZADD', key, whole(now), arg.socket)
  redis.call('PEXPIRE', key, arg.timeout_ms)
end
redis.call('ZADD', all_sockets, whole(now), arg.socket)
return {
  'ok',
  'last_seq', message_count(),
  'ratings_revision', ratings_revision(),
  'expires_ms', redis.call('PEXPIRETIME', document),
  'remaining_ms', redis.call('PTTL', document),
  'operator', has_operator(arg.session, now) and redis.call('HGET', operator, 'name') or false,
}
