#!lua
-- On a Redis Cluster: renew the registrations of an address's open sockets in its own slot.
local now = now_ms()
for _, each in ipairs(cjson.decode(arg.registrations)) do
  arg.socket = each[2]
  add_socket(address_sockets, now)
end
return {'ok'}
