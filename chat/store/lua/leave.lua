#!lua flags=allow-oom
-- End an operator's claim. Returns how many messages the model has to answer.
if redis.call('HGET', operator, 'lease') ~= arg.lease then
  return {'ok', 'left', false, 'pending', 0}
end
return {'ok', 'left', true, 'pending', end_claim(arg.session, now_ms())}
