#!lua flags=allow-oom
-- Give the lease back without an outcome: the next sweep finds the session for another worker.
if not holds_lease(arg.lease) then
  return {'not_held'}
end
redis.call('DEL', lease, partial)
redis.call('HDEL', work, 'holder')
local now = now_ms()
wait_for_worker(arg.session, now, now)
return {'ok'}
