#!lua
-- Write something small, to see that Redis still takes writes. KEYS 16: what is written.
redis.call('SET', KEYS[16], '1', 'PX', 60000)
return {'written'}
