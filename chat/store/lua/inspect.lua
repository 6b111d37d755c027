#!lua flags=no-writes
-- Tell what only an operator sees of a session: its queue, the worker at it, its open sockets.
-- ARGV: milliseconds a silent socket counts.
if not alive() then
  return {'unknown'}
end
local now = now_ms()
local open = redis.call('ZRANGEBYSCORE', sockets, whole(now - ARGV[1]), '+inf', 'WITHSCORES')
for i = 2, #open, 2 do
  open[i] = whole(now - open[i])
end
local queue = {}
for _, message in ipairs(redis.call('LRANGE', mailbox, 0, -1)) do
  local asked = redis.call('HGET', work, 'due:' .. message)
  table.insert(queue, message)
  table.insert(queue, whole(now - (asked or now)))
  table.insert(queue, redis.call('HGET', work, 'attempts:' .. message) or '0')
  table.insert(queue, redis.call('HGET', work, 'stop:' .. message) or '')
end
return {
  'inspected', redis.call('GET', lease) or '', cjson.encode(open), cjson.encode(queue),
  whole(now - (redis.call('HGET', work, 'taken') or now)),
}
