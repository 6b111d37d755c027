#!lua
-- Take the lease on a session that has something to answer, and read what the answer needs.
-- ARGV: session, lease value, lease_ms, reply id, messages to read before the one to answer.
-- What an earlier worker wrote is begun again, but kept where a stop was asked for since.
if not alive() then
  wait_no_more(ARGV[1])
  return {'gone'}
end
local head = redis.call('LINDEX', mailbox, 0)
if not head then
  wait_no_more(ARGV[1])
  return {'idle'}
end
local holder = redis.call('GET', lease)
if holder and holder ~= ARGV[2] then
  return {'held'}
end
local now = now_ms()
redis.call('SET', lease, ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', due, whole(now + ARGV[3]), ARGV[1])
redis.call('ZREM', waiting, ARGV[1])
local stop = redis.call('HGET', work, 'stop:' .. head)
local written = stop and redis.call('GET', partial)
local reply = written and redis.call('HGET', work, 'reply') or ARGV[4]
if not written then
  redis.call('DEL', partial)
  redis.call('HSET', work, 'reply', reply, 'pieces', 0)
end
redis.call('HDEL', work, 'retry_at', 'taken')
if not stop then
  redis.call('HSET', work, 'taken', whole(now))
  note_pace('at', now)
end
local attempts = redis.call('HINCRBY', work, 'attempts:' .. head, 1)
end_with_document(work)
local seq = tonumber(redis.call('HGET', ids, 'human:' .. head))
local from = math.max(seq - 1 - ARGV[5], 0)
return {
  'taken', head, whole(seq),
  redis.call('JSON.GET', document, '$.messages[' .. whole(from) .. ':]'),
  whole(now - redis.call('HGET', work, 'due:' .. head)),
  whole(attempts),
  redis.call('HGET', work, 'replaces:' .. head) or '',
  stop or '',
  reply,
  written or '',
  redis.call('HGET', work, 'pieces') or '0',
}
