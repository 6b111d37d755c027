#!lua flags=no-writes
-- Load what a list shows of a session.
if not session_exists() then
  return {'gone'}
end
local name = has_operator(arg.session, now_ms()) and redis.call('HGET', operator, 'name')
return {
  'ok',
  'operator', name or false,
  'head', redis.call('JSON.GET', document, '$.name', '$.session_start', '$.messages[0].msg',
    '$.messages[-1].timestamp', '$.messages[-1].error.code', '$.messages[*].error.code',
    '$.messages[*].rating'),
  'messages', message_count(),
  'pending', redis.call('LLEN', mailbox),
  'held', redis.call('EXISTS', lease) == 1,
  'sockets', redis.call('ZCOUNT', sockets, whole(now_ms() - arg.socket_timeout_ms), '+inf'),
  'remaining_ms', redis.call('PTTL', document),
}
