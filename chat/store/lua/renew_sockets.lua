#!lua
-- Renew the registrations of open sockets, each given as {session, socket, address}. Returns the state of each
-- session, or nothing for one that is gone. The limits were checked when the sockets were registered.
local now = now_ms()
local states, names = {}, {}
for index, each in ipairs(cjson.decode(arg.registrations)) do
  local session, socket, address = unpack(each)
  document = string.format(document_key, session)
  local expires_ms = redis.call('PEXPIRETIME', document)
  if expires_ms == -2 then
    states[index] = {}
  else
    ratings = string.format(ratings_key, session)
    operator = string.format(operator_key, session)
    arg.socket = socket
    add_socket(string.format(sockets_key, session), now)
    add_socket(string.format(address_sockets_key, address), now)
    table.insert(names, whole(now))
    table.insert(names, socket)
    local name = has_operator(session, now) and redis.call('HGET', operator, 'name')
    states[index] = {message_count(), ratings_revision(), expires_ms, name or ''}
  end
end
if #names > 0 then
  redis.call('ZADD', all_sockets, unpack(names))
end
return {'ok', 'now_ms', now, 'states', states}
