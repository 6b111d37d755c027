#!lua
-- Note that a worker did the task that was sent to it. KEYS 13: the proof. ARGV: milliseconds it is kept.
redis.call('SET', KEYS[13], '1', 'PX', ARGV[1])
return {'proved'}
