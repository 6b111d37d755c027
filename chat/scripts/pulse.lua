#!lua
-- Note a worker's sign of life, and forget those that have given none for an hour.
-- KEYS 13: the workers. ARGV: worker.
local workers = KEYS[13]
local now = now_ms()
redis.call('ZADD', workers, whole(now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', workers, '-inf', whole(now - 3600000))
return {'noted'}
