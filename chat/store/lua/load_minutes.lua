#!lua flags=no-writes
-- Load the statistics of the last minutes, oldest first.
local now = now_ms()
local minutes = {}
for back = arg.count - 1, 0, -1 do
  table.insert(minutes, redis.call('HGETALL', minute_key(now - back * 60000)))
end
return {'ok', 'now_ms', now, 'minutes', minutes}
