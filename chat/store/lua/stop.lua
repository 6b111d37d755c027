#!lua
-- Ask that a waiting message's reply be written no further.
-- ARGV: session, message id, reply id, ttl_ms, grace_ms.
-- The worker that writes it sees the mark and commits what there is. Where it is next and no
-- worker writes it, it is settled here, so that a stop needs no worker. Behind others it keeps
-- its place.
if not alive() then
  return {'unknown'}
end
local id = ARGV[2]
local asked_at = redis.call('HGET', work, 'due:' .. id)
if not asked_at then
  local answer = redis.call('HGET', ids, 'answer:' .. id)
  if not answer then
    return {'absent'}
  end
  return {'answered', message_at(redis.call('HGET', ids, 'bot:' .. answer)), '0'}
end
if redis.call('LINDEX', mailbox, 0) ~= id or redis.call('EXISTS', lease) == 1 then
  redis.call('HSET', work, 'stop:' .. id, '1')
  return {'stopping'}
end
local now = now_ms()
local text = redis.call('GET', partial)
local reply = text and redis.call('HGET', work, 'reply') or ARGV[3]
local replaced = redis.call('HGET', work, 'replaces:' .. id) or ''
local waited = whole(now - asked_at)
local body = '{"id":"' .. reply .. '","source":"bot","msg":' .. cjson.encode(text or '')
  .. ',"reply_to":"' .. id .. '","finish_reason":"stop_requested","pieces":'
  .. (text and redis.call('HGET', work, 'pieces') or '0')
  .. ',"timings":{"queued_ms":' .. waited .. ',"total_ms":' .. waited .. '}'
  .. (replaced ~= '' and ',"replaces":"' .. replaced .. '"' or '') .. '}'
local message, pending = store_outcome(ARGV[1], reply, id, body, replaced, now, ARGV[4], ARGV[5])
tally('replied', now)
return {'settled', message, whole(pending)}
