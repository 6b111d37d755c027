#!lua
-- Append to the partial text and renew the lease, for its holder only.
-- ARGV: session, lease value, lease_ms, reply id, offset in bytes, text.
-- A text already there is not appended again, so this may run twice.
if redis.call('GET', lease) ~= ARGV[2] then
  return {'lost'}
end
if not alive() then
  return {'gone'}
end
redis.call('PEXPIRE', lease, ARGV[3])
redis.call('ZADD', due, whole(now_ms() + ARGV[3]), ARGV[1])
if redis.call('HGET', work, 'reply') ~= ARGV[4] then
  redis.call('HSET', work, 'reply', ARGV[4])
  redis.call('DEL', partial)
end
if ARGV[6] ~= '' and redis.call('STRLEN', partial) == tonumber(ARGV[5]) then
  redis.call('APPEND', partial, ARGV[6])
  end_with_document(partial)
end
local head = redis.call('LINDEX', mailbox, 0)
return {'held', head and redis.call('HGET', work, 'stop:' .. head) or ''}
