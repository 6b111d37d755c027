#!lua flags=no-writes
-- Tell which sessions have something to answer, and what waits in them. ARGV: most of them.
local found = {}
for _, session in ipairs(redis.call('ZRANGE', due, 0, ARGV[1] - 1)) do
  local key = 'chat:{' .. session .. '}:'
  local messages = redis.call('LLEN', key .. 'mailbox')
  if messages > 0 then
    table.insert(found, session)
    table.insert(found, redis.call('EXISTS', key .. 'lease') == 1 and '1' or '')
    table.insert(found, whole(messages))
  end
end
return {'waiting', found}
