#!lua
-- Request that the reply to a waiting message ends. The worker that writes it sees the mark and commits
-- what there is. If the message is next and no worker holds it, the outcome is stored here, so that a
-- stop needs no worker. Behind others it keeps its position in the queue.
if not session_exists() then
  return {'unknown'}
end
local id = arg.message
local asked_at = redis.call('HGET', work, 'due:' .. id)
if not asked_at then
  local stored = redis.call('HGET', ids, 'answer:' .. id)
  if not stored then
    return {'absent'}
  end
  local message = message_at(redis.call('HGET', ids, 'bot:' .. stored))
  write_again()
  return {'ok', 'message', message, 'new', false, 'pending', 0}
end
if redis.call('LINDEX', mailbox, 0) ~= id or redis.call('EXISTS', lease) == 1 then
  redis.call('HSET', work, 'stop:' .. id, '1')
  return {'stopping'}
end
local now = now_ms()
local text = redis.call('GET', partial)
local reply = text and redis.call('HGET', work, 'reply') or arg.reply
local replaces = redis.call('HGET', work, 'replaces:' .. id)
local waited = now - asked_at
-- A continuation keeps what it added.
local continued_seq = redis.call('HEXISTS', work, 'continues:' .. id) == 1
  and redis.call('HGET', ids, 'bot:' .. replaces)
local is_longer = continued_seq and text and #text > #cjson.decode(message_at(continued_seq)).msg
local body = cjson.encode({
  id = reply,
  source = 'bot',
  msg = text or '',
  reply_to = id,
  finish_reason = 'stop_requested',
  pieces = tonumber(text and redis.call('HGET', work, 'pieces') or 0),
  timings = {queued_ms = waited, total_ms = waited},
  replaces = replaces or nil,
  continues = is_longer and replaces or nil,
})
local message, pending =
  store_outcome(arg.session, reply, id, body, replaces, is_longer, now, arg.ttl_ms, arg.grace_ms)
count_figure('replied', now)
return {'ok', 'message', message, 'new', true, 'pending', pending}
