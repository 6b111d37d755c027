#!lua flags=no-writes
-- List sessions with unanswered messages, the longest due first.
local found = {}
for _, session in ipairs(redis.call('ZRANGE', due, 0, arg.most - 1)) do
  local messages = redis.call('LLEN', string.format(mailbox_key, session))
  if messages > 0 then
    local held = redis.call('EXISTS', string.format(lease_key, session)) == 1
    table.insert(found, {'session', session, 'held', held, 'messages', messages})
  end
end
return {'ok', 'sessions', found}
