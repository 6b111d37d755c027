#!lua
-- Register an open socket. Sockets without a recent heartbeat do not count.
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
return {'ok'}
