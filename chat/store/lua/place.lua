#!lua
-- Find the living worker with the most free places, and count one of them as taken.
-- KEYS 13: the workers, 17: their free places. ARGV: the worker that asks, milliseconds after
-- which a silent worker counts as dead. Its next sign of life tells its places anew.
local workers, places = KEYS[13], KEYS[17]
local now = now_ms()
for _, worker in ipairs(redis.call('ZREVRANGEBYSCORE', places, '+inf', 1)) do
  local seen = redis.call('ZSCORE', workers, worker)
  if worker ~= ARGV[1] and seen and now - seen < tonumber(ARGV[2]) then
    redis.call('ZINCRBY', places, -1, worker)
    return {'found', worker}
  end
end
return {'none'}
