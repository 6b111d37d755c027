#!lua
-- Store the one outcome of the mailbox's head and give the lease back, for its holder only.
-- ARGV: session, lease value, reply id, reply to, body, ttl_ms, grace_ms, replaced reply or '',
-- what became of it (replied, or failed and the code), other figures to count.
-- A second run with the same reply id tells what the first one did.
if not alive() then
  wait_no_more(ARGV[1])
  return {'gone'}
end
local known = redis.call('HGET', ids, 'bot:' .. ARGV[3])
if known then
  return {'committed', message_at(known), whole(redis.call('LLEN', mailbox))}
end
if redis.call('GET', lease) ~= ARGV[2] or redis.call('LINDEX', mailbox, 0) ~= ARGV[4] then
  return {'lost'}
end
local now = now_ms()
local taken = redis.call('HGET', work, 'taken')
if taken then
  -- What replies take lately: a mean that forgets, so that estimates follow the model.
  local took = now - taken
  local mean = redis.call('HGET', pace, 'reply_ms') or took
  note_pace('reply_ms', mean + (took - mean) / 8)
  note_pace('at', now)
end
local message, pending =
  store_outcome(ARGV[1], ARGV[3], ARGV[4], ARGV[5], ARGV[8], now, ARGV[6], ARGV[7])
for i = 9, #ARGV do
  tally(ARGV[i], now)
end
redis.call('HSET', this_minute(now), 'at:' .. ARGV[9], whole(now))
return {'committed', message, whole(pending)}
