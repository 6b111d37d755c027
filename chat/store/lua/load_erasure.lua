#!lua flags=no-writes
-- Load how the last rewrite of Redis' files went, and the age of the oldest deletion before them.
local now = now_ms()
local oldest = redis.call('ZRANGEBYSCORE', deletions, '-inf', whole(now), 'WITHSCORES', 'LIMIT', 0, 1)
local found = redis.call('HMGET', rewrite, 'started', 'run', 'outcome')
return {
  'ok',
  'started_ago_ms', found[1] and now - found[1],
  'run', found[2],
  'outcome', found[3],
  'oldest_deletion_ms', oldest[2] and math.max(now - oldest[2], 0) or false,
}
