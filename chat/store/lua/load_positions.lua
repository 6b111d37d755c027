#!lua flags=no-writes
-- Load the state of the queue, and of some sessions how many wait longer, and since when they wait.
local now = now_ms()
local queue = load_queue(now)
local ahead, since = {}, {}
for index, session in ipairs(cjson.decode(arg.sessions)) do
  ahead[index] = sessions_ahead(session, queue) or -1
  since[index] = redis.call('ZSCORE', waiting, session) or ''
end
return {
  'ok',
  'ahead', ahead,
  'since', since,
  'waiting', queue.waiting,
  'in_progress', queue.in_progress,
  'workers', queue.workers,
  'mean_reply_ms', queue.mean_reply_ms or false,
  'elapsed_ms', math.max(now - queue.last_at, 0),
}
