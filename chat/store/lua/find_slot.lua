#!lua
-- Find the live worker with the most free slots, and count one of them as used until the worker's
-- next heartbeat reports its slots again.
local now = now_ms()
for _, worker in ipairs(redis.call('ZREVRANGEBYSCORE', slots, '+inf', 1)) do
  local seen = redis.call('ZSCORE', workers, worker)
  if worker ~= arg.asking and seen and now - seen < tonumber(arg.timeout_ms) then
    redis.call('ZINCRBY', slots, -1, worker)
    return {'ok', 'worker', worker}
  end
end
return {'ok', 'worker', false}
