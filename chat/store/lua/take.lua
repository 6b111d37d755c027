#!lua
-- Take the lease on a session with unanswered messages, and load what the oldest one needs. The reply
-- starts again, but if a stop was requested, what an earlier worker wrote is kept. While an operator is in
-- the session, nobody else gets its lease; an operator without a claim gets none.

-- The messages before this one and it, and the replies to them that were stored later. A session may have
-- any number of other messages after it, if its reply is regenerated.
local function history_of(seq)
  local messages = {}
  for at = math.max(seq - arg.history, 1), seq do
    local message = message_at(at)
    table.insert(messages, message)
    local decoded = cjson.decode(message)
    local reply = decoded.source == 'human' and redis.call('HGET', ids, 'answer:' .. decoded.id)
    local reply_seq = reply and tonumber(redis.call('HGET', ids, 'bot:' .. reply))
    if reply_seq and reply_seq > seq then
      table.insert(messages, message_at(reply_seq))
    end
  end
  return '[' .. table.concat(messages, ',') .. ']'
end

local now = now_ms()
if redis.call('ZSCORE', operators, arg.session) and not has_operator(arg.session, now) then
  end_claim(arg.session, now)
end
local claim = has_operator(arg.session, now) and redis.call('HGET', operator, 'lease')
local by_operator = arg.by_operator == '1'
if (claim or by_operator) and claim ~= arg.lease then
  return {'nothing'}
end
local head = session_exists() and redis.call('LINDEX', mailbox, 0)
if not head then
  stop_waiting(arg.session)
  return {'nothing'}
end
local holder = redis.call('GET', lease)
if holder and holder ~= arg.lease then
  return {'nothing'}
end
if not by_operator and string.find(arg.full_models, '%S') and not redis.call('HGET', work, 'stop:' .. head) then
  local message = cjson.decode(message_at(redis.call('HGET', ids, 'human:' .. head)))
  local model = message.model or arg.default_model
  if string.find(arg.full_models, ' ' .. model .. ' ', 1, true) then
    -- A worker that claimed the session has removed it.
    redis.call('ZADD', waiting, 'NX', redis.call('HGET', work, 'due:' .. head), arg.session)
    return {'model_busy', 'model', model}
  end
end
redis.call('SET', lease, arg.lease, 'PX', arg.lease_ms)
redis.call('HSET', work, 'holder', arg.lease)
if by_operator then
  stop_waiting(arg.session)
else
  redis.call('ZADD', due, whole(now + arg.lease_ms), arg.session)
  redis.call('ZREM', waiting, arg.session)
end
local stop = redis.call('HGET', work, 'stop:' .. head)
local written = stop and redis.call('GET', partial)
local reply = written and redis.call('HGET', work, 'reply') or arg.reply
if not written then
  redis.call('DEL', partial)
  redis.call('HSET', work, 'reply', reply, 'pieces', 0)
end
redis.call('HDEL', work, 'retry_at', 'taken')
-- Estimates are about the model, not about people.
if not stop and not by_operator then
  redis.call('HSET', work, 'taken', whole(now))
  record_pace('at', now)
end
local replaces = redis.call('HGET', work, 'replaces:' .. head)
local is_continued = replaces and redis.call('HEXISTS', work, 'continues:' .. head) == 1
local continued_seq = is_continued and redis.call('HGET', ids, 'bot:' .. replaces)
local attempts = redis.call('HINCRBY', work, 'attempts:' .. head, by_operator and 0 or 1)
expire_with_document(work)
local seq = tonumber(redis.call('HGET', ids, 'human:' .. head))
return {
  'ok',
  'message', head,
  'messages', history_of(seq),
  'waited_ms', now - redis.call('HGET', work, 'due:' .. head),
  'attempts', attempts,
  'replaces', replaces,
  'continues', continued_seq and message_at(continued_seq),
  'stop_requested', stop,
  'reply', reply,
  'text', written or '',
  'pieces', tonumber(redis.call('HGET', work, 'pieces') or 0),
}
