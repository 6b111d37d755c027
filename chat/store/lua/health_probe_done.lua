#!lua flags=no-writes
-- Return whether a worker ran the health probe.
return {'ok', 'done', redis.call('EXISTS', health_probe)}
