#!lua
-- Find sessions with unanswered messages that no worker holds, and look at them again later. A live
-- lease has moved its session's due time into the future. Of those that wait for a worker, only the oldest are
-- found, as many as workers have free slots, or with `in_turn` all: a model at its limit may hold up the oldest.
local now = now_ms()
redis.call('SET', swept, whole(now))
local most, scanned = tonumber(arg.most), tonumber(arg.scanned)
-- In a long queue, each session is looked at more rarely, so that a sweep reaches them all in time.
local again_ms = math.max(tonumber(arg.again_ms), redis.call('ZCARD', due) / scanned * 1250)
local unanswered = {}

local function find(session)
  if #unanswered < most then
    wait_for_worker(session, now, now + arg.again_ms)
    if not has_operator(session, now) then
      table.insert(unanswered, session)
    end
  end
end

if arg.in_turn == '0' then
  local free = tonumber(arg.least)
  for _, worker in ipairs(redis.call('ZRANGEBYSCORE', workers, whole(now - arg.worker_timeout_ms), '+inf')) do
    free = free + math.max(tonumber(redis.call('ZSCORE', slots, worker) or 0), 0)
  end
  local oldest = redis.call('ZRANGEBYSCORE', waiting, '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, math.min(free, most))
  for i = 1, #oldest, 2 do
    local is_due = tonumber(redis.call('ZSCORE', due, oldest[i]) or 0) <= now
    if is_due or now - oldest[i + 1] > tonumber(arg.grace_ms) then
      find(oldest[i])
    end
  end
end
local found = redis.call('ZRANGEBYSCORE', due, '-inf', whole(now), 'LIMIT', 0, scanned)
for _, session in ipairs(found) do
  if arg.in_turn == '1' or not redis.call('ZSCORE', waiting, session) then
    find(session)
  else
    redis.call('ZADD', due, whole(now + again_ms), session)
  end
end
if #found == scanned then
  -- Those that a worker has lost became due last. They do not wait behind all others.
  for _, session in ipairs(redis.call('ZREVRANGEBYSCORE', due, whole(now), '-inf', 'LIMIT', 0, most)) do
    if not redis.call('ZSCORE', waiting, session) then
      find(session)
    end
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
