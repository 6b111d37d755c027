#!lua flags=allow-oom
-- Record how the claimed rewrite goes on. One that is complete has removed all texts that were deleted
-- before it started.
redis.call('HSET', rewrite, 'outcome', arg.outcome)
if arg.outcome == 'complete' then
  redis.call('ZREMRANGEBYSCORE', deletions, '-inf', redis.call('HGET', rewrite, 'started'))
end
return {'ok'}
