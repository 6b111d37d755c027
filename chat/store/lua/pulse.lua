#!lua
-- Note a worker's sign of life and its free places; forget those that gave none for an hour.
-- KEYS 13: the workers, 17: their free places. ARGV: worker, free places.
local workers, places = KEYS[13], KEYS[17]
local now = now_ms()
redis.call('ZADD', workers, whole(now), ARGV[1])
redis.call('ZADD', places, ARGV[2], ARGV[1])
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', workers, '-inf', whole(now - 3600000))) do
  redis.call('ZREM', workers, gone)
  redis.call('ZREM', places, gone)
end
return {'noted'}
