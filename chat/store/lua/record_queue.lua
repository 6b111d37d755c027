#!lua
-- On a Redis Cluster: record the state of the queue over all buckets, for estimates in this one.
redis.call('HSET', queue, 'waiting', arg.waiting, 'in_progress', arg.in_progress, 'reply_ms', arg.reply_ms)
redis.call('PEXPIRE', queue, arg.kept_ms)
return {'ok'}
