#!lua flags=no-writes
-- Tell how the whole service stands, in milliseconds. KEYS 13, 15: the workers, the last sweep.
-- A session's due time is renewed by every sweep, so one in the past means that nobody sweeps.
local now = now_ms()
local first = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')
local swept = redis.call('GET', KEYS[15])
local found = redis.call('ZRANGE', KEYS[13], 0, -1, 'WITHSCORES')
for i = 2, #found, 2 do
  found[i] = whole(now - found[i])
end
return {
  'service',
  whole(redis.call('ZCARD', due)),
  whole(first[2] and math.max(now - first[2], 0) or 0),
  swept and whole(now - swept) or '',
  unpack(found)
}
