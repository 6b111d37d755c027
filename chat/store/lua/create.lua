#!lua
-- Create a session, unless Redis is almost full. `rate` is the address's, not the session's.
local used, limit = memory()
if used and limit > 0 and used * 100 > limit * arg.full_percent then
  return {'full_store'}
end
local now = now_ms()
local refused = check_rates(now, {rate, arg.per_minute, 1})
if refused then
  return refused
end
redis.call('JSON.SET', document, '$', with_members(arg.body, 'session_start', now))
expire_at(now + arg.ttl_ms)
count_figure('created', now)
return {'ok', 'created_ms', now, 'expires_ms', now + arg.ttl_ms}
