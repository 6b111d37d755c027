#!lua
-- Make a session's next reply due now. If nothing waits and the last reply failed, request
-- another one in place of it.
if not session_exists() then
  return {'unknown'}
end
local now = now_ms()
if redis.call('LLEN', mailbox) > 0 then
  if redis.call('EXISTS', lease) == 1 then
    return {'ok', 'requeued', false}
  end
  wait_for_worker(arg.session, now, now)
  return {'ok', 'requeued', true}
end
local length = message_count()
local last = length > 0 and cjson.decode(message_at(length)) or {}
if not last.error or last.replaced_by then
  return {'ok', 'requeued', false}
end
enqueue(arg.session, last.reply_to, last.id, now, 0)
expire_at(now + arg.ttl_ms)
return {'ok', 'requeued', true}
