#!lua flags=no-writes
-- Tell the clock and the figures of the last minutes, oldest first. ARGV: how many minutes.
local now = now_ms()
local told = {}
for back = ARGV[1] - 1, 0, -1 do
  table.insert(told, redis.call('HGETALL', this_minute(now - back * 60000)))
end
return {'minutes', whole(now), unpack(told)}
