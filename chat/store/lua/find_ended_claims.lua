#!lua flags=allow-oom
-- Find the sessions whose operators' heartbeats have ended, and forget what no longer exists.
local now = now_ms()
redis.call('ZREMRANGEBYSCORE', on_duty, '-inf', whole(now - arg.duty_timeout_ms))
for _, session in ipairs(redis.call('ZRANGE', requests, 0, arg.most - 1)) do
  if redis.call('EXISTS', string.format(document_key, session)) == 0 then
    redis.call('ZREM', requests, session)
  end
end
return {'ok', 'sessions', redis.call('ZRANGEBYSCORE', operators, '-inf', whole(now), 'LIMIT', 0, arg.most)}
