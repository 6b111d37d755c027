#!lua flags=allow-oom
-- End the claim of an operator whose heartbeats have ended, unless it was renewed or ended meanwhile.
local now = now_ms()
if has_operator(arg.session, now) or not redis.call('ZSCORE', operators, arg.session) then
  return {'ok', 'left', false, 'pending', 0}
end
return {'ok', 'left', true, 'pending', end_claim(arg.session, now)}
