#!lua flags=no-writes
-- Load the cluster state. Every sweep renews a session's due time, so one in the past means that no
-- sweep runs.
local now = now_ms()
local first = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')
local swept_at = redis.call('GET', swept)
local silent = redis.call('ZRANGE', workers, 0, -1, 'WITHSCORES')
for i = 2, #silent, 2 do
  silent[i] = now - silent[i]
end
local used_memory, max_memory = memory()
local deletion = redis.call('ZRANGEBYSCORE', deletions, '-inf', whole(now), 'WITHSCORES', 'LIMIT', 0, 1)
return {
  'ok',
  'waiting', redis.call('ZCARD', due),
  'overdue_ms', first[2] and math.max(now - first[2], 0) or 0,
  'swept_ago_ms', swept_at and now - swept_at,
  'silent_ms', silent,
  'endpoints', redis.call('HGETALL', endpoints),
  'used_memory', used_memory or false,
  'max_memory', max_memory or false,
  'oldest_deletion_ms', deletion[2] and math.max(now - deletion[2], 0) or 0,
}
