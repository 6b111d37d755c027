#!lua
-- Register an open socket, or renew it. Sockets without a recent heartbeat do not count.
if not session_exists() then
  return {'unknown'}
end
local now = now_ms()
if not (has_space(sockets, arg.per_session, now) and has_space(address_sockets, arg.per_address, now)) then
  return {'full'}
end
add_socket(sockets, now)
add_socket(address_sockets, now)
redis.call('ZADD', all_sockets, whole(now), arg.socket)
return {
  'ok',
  'last_seq', message_count(),
  'ratings_revision', ratings_revision(),
  'expires_ms', redis.call('PEXPIRETIME', document),
  'remaining_ms', redis.call('PTTL', document),
  'operator', has_operator(arg.session, now) and redis.call('HGET', operator, 'name') or false,
}
