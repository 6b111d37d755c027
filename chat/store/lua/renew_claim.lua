#!lua
-- Renew an operator's claim, and the lease on the reply that they write. A claim ends if a message has
-- waited for `idle_ms` in which the operator did nothing.
if not session_exists() then
  return {'unknown'}
end
local now = now_ms()
if not has_operator(arg.session, now) or redis.call('HGET', operator, 'lease') ~= arg.lease then
  return {'not_joined'}
end
local head = redis.call('LINDEX', mailbox, 0)
if arg.is_active == '1' then
  redis.call('HSET', operator, 'active', whole(now))
elseif head then
  local active, asked = redis.call('HGET', operator, 'active'), redis.call('HGET', work, 'due:' .. head)
  if now - math.max(active, asked or now) > tonumber(arg.idle_ms) then
    end_claim(arg.session, now)
    return {'ok', 'is_idle', true, 'stop_requested', false}
  end
end
redis.call('ZADD', operators, whole(now + arg.claim_ms), arg.session)
redis.call('PEXPIRE', operator, arg.claim_ms)
if redis.call('GET', lease) == arg.lease then
  redis.call('PEXPIRE', lease, arg.lease_ms)
end
return {'ok', 'is_idle', false, 'stop_requested', head and redis.call('HGET', work, 'stop:' .. head)}
