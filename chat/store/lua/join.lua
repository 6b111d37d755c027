#!lua
-- Let an operator answer this session instead of the model. A worker that writes a reply finishes it.
-- The same lease joins again; another operator has to be replaced explicitly.
if not session_exists() then
  return {'unknown'}
end
local now = now_ms()
local holder = has_operator(arg.session, now) and redis.call('HGET', operator, 'lease')
if holder ~= arg.lease then
  if arg.resume == '1' then
    return {'not_joined'}
  end
  -- A user replaces themselves without asking: the other page may be gone.
  local is_own = redis.call('HGET', operator, 'user') == arg.user
  if holder and not is_own and arg.replace ~= '1' then
    local person = redis.call('HMGET', operator, 'name', 'user', 'joined')
    return {'claimed', 'name', person[1], 'user', person[2], 'joined_ms', tonumber(person[3])}
  end
  drop_operators_reply()
  redis.call('DEL', operator)
  redis.call('HSET', operator, 'lease', arg.lease, 'name', arg.name, 'user', arg.user, 'joined', whole(now))
  count_figure('operator_joined', now)
end
redis.call('HSET', operator, 'active', whole(now))
redis.call('PEXPIRE', operator, arg.claim_ms)
redis.call('ZADD', operators, whole(now + arg.claim_ms), arg.session)
redis.call('ZREM', requests, arg.session)
if redis.call('EXISTS', lease) == 0 or redis.call('GET', lease) == arg.lease then
  stop_waiting(arg.session)
end
return {'ok'}
