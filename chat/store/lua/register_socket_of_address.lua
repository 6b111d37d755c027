#!lua
-- On a Redis Cluster: register an open socket in its address's own slot.
local now = now_ms()
if not has_space(address_sockets, arg.per_address, now) then
  return {'full'}
end
add_socket(address_sockets, now)
return {'ok'}
