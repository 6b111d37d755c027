#!lua
-- Find sessions with unanswered messages that no worker holds, and look at them again later. A live
-- lease has moved its session's due time into the future.
local now = now_ms()
redis.call('SET', swept, whole(now))
local found = redis.call('ZRANGEBYSCORE', due, '-inf', whole(now), 'LIMIT', 0, arg.most)
local unanswered = {}
for _, session in ipairs(found) do
  wait_for_worker(session, now, now + arg.again_ms)
  if not has_operator(session, now) then
    table.insert(unanswered, session)
  end
end
redis.call('ZREMRANGEBYSCORE', all_sockets, '-inf', whole(now - arg.socket_timeout_ms))
-- Of the deletions before now, the first says since when Redis' files contain deleted texts, and the
-- last whether a rewrite was too early. Without rewrites, the others would pile up.
local deleted = redis.call('ZCOUNT', deletions, '-inf', whole(now))
if deleted > 2 then
  redis.call('ZREMRANGEBYRANK', deletions, 1, deleted - 2)
end
count_figure('swept', now)
redis.call('HSET', minute_key(now),
  'sockets', redis.call('ZCARD', all_sockets), 'waiting', redis.call('ZCARD', due))
local used = memory()
if used then
  redis.call('HSET', minute_key(now), 'memory', whole(used))
end
return {
  'ok',
  'sessions', unanswered,
  'waiting', redis.call('ZCARD', waiting),
  'due', redis.call('ZCARD', due),
  'reply_ms', tonumber(redis.call('HGET', pace, 'reply_ms') or 0),
}
