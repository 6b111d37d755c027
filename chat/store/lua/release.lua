#!lua flags=allow-oom
-- Give the lease back without an outcome: the next sweep finds the session for another worker.
if redis.call('GET', lease) ~= arg.lease then
  return {'not_held'}
end
redis.call('DEL', lease, partial)
local now = now_ms()
wait_for_worker(arg.session, now, now)
return {'ok'}
