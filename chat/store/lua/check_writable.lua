#!lua
-- Write a key to check that Redis accepts writes: out of memory, or as a replica, it refuses them.
redis.call('SET', write_check, '1', 'PX', 60000)
return {'ok'}
