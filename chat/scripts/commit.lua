#!lua
-- Store the one outcome of the mailbox's head and give the lease back, for its holder only.
-- ARGV: session, lease value, reply id, reply to, body, ttl_ms, grace_ms, replaced reply or '',
-- what became of it (replied, or failed and the code), other figures to count.
-- A second run with the same reply id tells what the first one did.
if not alive() then
  redis.call('ZREM', due, ARGV[1])
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
local seq, message = append(ARGV[5], now)
redis.call('HSET', ids, 'bot:' .. ARGV[3], seq, 'answer:' .. ARGV[4], ARGV[3], 'last', ARGV[3])
if ARGV[8] ~= '' then
  local replaced = redis.call('HGET', ids, 'bot:' .. ARGV[8])
  redis.call('JSON.SET', document, '$.messages[' .. (replaced - 1) .. '].replaced_by', '"' .. ARGV[3] .. '"')
end
redis.call('LPOP', mailbox)
redis.call('HDEL', work, 'reply', 'due:' .. ARGV[4], 'attempts:' .. ARGV[4], 'replaces:' .. ARGV[4], 'stop:' .. ARGV[4])
redis.call('DEL', partial, lease)
local pending = redis.call('LLEN', mailbox)
if pending > 0 then
  redis.call('ZADD', due, whole(now + ARGV[7]), ARGV[1])
else
  redis.call('ZREM', due, ARGV[1])
end
end_at(now + ARGV[6])
for i = 9, #ARGV do
  tally(ARGV[i], now)
end
redis.call('HSET', this_minute(now), 'at:' .. ARGV[9], whole(now))
return {'committed', message, whole(pending)}
