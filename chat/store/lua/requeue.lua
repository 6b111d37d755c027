#!lua
-- Make a session's next answer due at once; where nothing waits and the last reply failed, ask for
-- another in its place. ARGV: session, ttl_ms.
if not alive() then
  return {'unknown'}
end
local now = now_ms()
local head = redis.call('LINDEX', mailbox, 0)
if head then
  if redis.call('EXISTS', lease) == 1 then
    return {'held'}
  end
  wait_for_worker(ARGV[1], now, now)
  return {'requeued'}
end
local length = count()
local last = length > 0 and cjson.decode(message_at(length)) or {}
if not last.error then
  return {'nothing'}
end
redis.call('HSET', work, 'due:' .. last.reply_to, whole(now), 'replaces:' .. last.reply_to, last.id)
redis.call('RPUSH', mailbox, last.reply_to)
wait_for_worker(ARGV[1], now, now)
end_at(now + ARGV[2])
return {'requeued'}
