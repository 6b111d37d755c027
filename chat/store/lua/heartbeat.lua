#!lua
-- Record a worker's heartbeat and free slots; drop workers without a heartbeat for an hour.
local now = now_ms()
redis.call('ZADD', workers, whole(now), arg.worker)
redis.call('ZADD', slots, arg.free, arg.worker)
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', workers, '-inf', whole(now - 3600000))) do
  redis.call('ZREM', workers, gone)
  redis.call('ZREM', slots, gone)
end
return {'ok'}
