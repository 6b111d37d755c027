#!lua
-- Create a session. `rate` is the address's, not the session's.
local now = now_ms()
local refused = check_rates(now, {rate, arg.per_minute, 1})
if refused then
  return refused
end
redis.call('JSON.SET', document, '$', with_members(arg.body, 'session_start', now))
expire_at(now + arg.ttl_ms)
count_figure('created', now)
return {'ok', 'created_ms', now, 'expires_ms', now + arg.ttl_ms}
