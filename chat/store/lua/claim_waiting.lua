#!lua
-- Claim the session that has waited longest, for a worker that takes it next. If it does not, the sweep
-- finds the session like one whose lease has expired.
local now = now_ms()
while true do
  local session = redis.call('ZRANGE', waiting, 0, 0)[1]
  if not session then
    return {'ok', 'session', false}
  end
  redis.call('ZREM', waiting, session)
  if redis.call('ZSCORE', due, session) then
    redis.call('ZADD', due, whole(now + arg.grace_ms), session)
    return {'ok', 'session', session}
  end
end
