#!lua
-- Ask for a person, or withdraw that. Once one is there, nothing is left to ask for.
if not session_exists() then
  return {'unknown'}
end
local now = now_ms()
if arg.is_wanted == '1' and not has_operator(arg.session, now) then
  redis.call('ZADD', requests, 'NX', whole(now), arg.session)
else
  redis.call('ZREM', requests, arg.session)
end
return {
  'ok',
  'requested', redis.call('ZSCORE', requests, arg.session) and true or false,
  'operators_on_duty', redis.call('ZCOUNT', on_duty, whole(now - arg.duty_timeout_ms), '+inf'),
}
