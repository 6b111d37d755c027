#!lua flags=no-writes
-- Load what only an operator sees of a session: its queue, lease holder and open sockets.
if not session_exists() then
  return {'unknown'}
end
local now = now_ms()
local oldest = whole(now - arg.socket_timeout_ms)
local open = redis.call('ZRANGEBYSCORE', sockets, oldest, '+inf', 'WITHSCORES')
for i = 2, #open, 2 do
  open[i] = now - open[i]
end
local queue = {}
for _, message in ipairs(redis.call('LRANGE', mailbox, 0, -1)) do
  table.insert(queue, {
    'message', message,
    'waited_ms', now - (redis.call('HGET', work, 'due:' .. message) or now),
    'attempts', tonumber(redis.call('HGET', work, 'attempts:' .. message) or 0),
    'stop_requested', redis.call('HEXISTS', work, 'stop:' .. message),
  })
end
return {
  'ok',
  'lease', redis.call('GET', lease),
  'sockets', open,
  'queue', queue,
  'taken_ms', now - (redis.call('HGET', work, 'taken') or now),
}
