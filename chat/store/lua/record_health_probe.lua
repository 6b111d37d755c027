#!lua
-- Record that a worker ran the health probe.
redis.call('SET', health_probe, '1', 'PX', arg.kept_ms)
return {'ok'}
