#!lua
-- Record a worker's heartbeat, free slots and what it knows of model endpoints; drop workers without a heartbeat for an hour.
local now = now_ms()
redis.call('ZADD', workers, whole(now), arg.worker)
redis.call('ZADD', slots, arg.free, arg.worker)
redis.call('HSET', endpoints, arg.worker, arg.endpoints)
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', workers, '-inf', whole(now - 3600000))) do
  redis.call('ZREM', workers, gone)
  redis.call('ZREM', slots, gone)
  redis.call('HDEL', endpoints, gone)
end
return {'ok'}
