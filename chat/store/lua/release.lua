#!lua flags=allow-oom
-- Give the lease back without an outcome: the next sweep hands the session to another worker.
-- ARGV: session, lease value.
if redis.call('GET', lease) ~= ARGV[2] then
  return {'lost'}
end
redis.call('DEL', lease, partial)
local now = now_ms()
wait_for_worker(ARGV[1], now, now)
return {'released'}
