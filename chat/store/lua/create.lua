#!lua
-- Begin a session. ARGV: document as JSON without its start, ttl_ms, limit a minute.
-- The rate key is the address's, not the session's.
local now = now_ms()
local wait = throttle(rate, tonumber(ARGV[3]), now)
if wait > 0 then
  return {'limited', whole(wait)}
end
redis.call('JSON.SET', document, '$', '{"session_start":' .. whole(now) .. ',' .. string.sub(ARGV[1], 2))
end_at(now + ARGV[2])
tally('begun', now)
return {'created', whole(now), whole(now + ARGV[2])}
