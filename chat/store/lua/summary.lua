#!lua flags=no-writes
-- Tell what a list shows of a session. ARGV: milliseconds a silent socket counts.
if not alive() then
  return {'unknown'}
end
return {
  'summary',
  redis.call('JSON.GET', document, '$.name', '$.session_start', '$.messages[-1].timestamp',
    '$.messages[-1].error.code', '$.messages[*].error.code'),
  whole(count()),
  whole(redis.call('LLEN', mailbox)),
  redis.call('EXISTS', lease) == 1 and '1' or '',
  whole(redis.call('ZCOUNT', sockets, whole(now_ms() - ARGV[1]), '+inf')),
  whole(redis.call('PTTL', document)),
}
