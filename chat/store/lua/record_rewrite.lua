#!lua flags=allow-oom
-- Record how the claimed rewrite goes on. One that is complete has removed all texts that were deleted
-- before it started.
redis.call('HSET', rewrite, 'outcome', arg.outcome)
local started = redis.call('HGET', rewrite, 'started')
if started and arg.outcome == 'complete' then
  redis.call('ZREMRANGEBYSCORE', deletions, '-inf', started)
end
return {'ok'}
