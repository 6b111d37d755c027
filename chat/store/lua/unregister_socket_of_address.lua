#!lua flags=allow-oom
-- On a Redis Cluster: remove a closed socket from its address's own slot.
redis.call('ZREM', address_sockets, arg.socket)
return {'ok'}
