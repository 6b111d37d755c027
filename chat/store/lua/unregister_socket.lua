#!lua flags=allow-oom
-- Remove a closed socket.
for _, key in ipairs({sockets, address_sockets, all_sockets}) do
  redis.call('ZREM', key, arg.socket)
end
return {'ok'}
