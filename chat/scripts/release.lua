#!lua flags=allow-oom
-- Give the lease back without an outcome: the next sweep hands the session to another worker.
-- ARGV: session, lease value.
if redis.call('GET', lease) ~= ARGV[2] then
  return {'lost'}
end
redis.call('DEL', lease, partial)
redis.call('ZADD', due, whole(now_ms()), ARGV[1])
return {'released'}
