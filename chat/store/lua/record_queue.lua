#!lua
-- On a Redis Cluster: record the state of the queue over all buckets, for estimates in this one.
redis.call('HSET', pace, 'all_at', whole(now_ms()), 'all_waiting', arg.waiting,
  'all_in_progress', arg.in_progress, 'all_reply_ms', arg.reply_ms)
redis.call('PEXPIRE', pace, arg.kept_ms, 'NX')
return {'ok'}
