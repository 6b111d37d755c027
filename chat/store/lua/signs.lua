#!lua flags=no-writes
-- Tell how many milliseconds ago each worker last gave a sign of life. KEYS 13: the workers.
local now = now_ms()
local found = redis.call('ZRANGE', KEYS[13], 0, -1, 'WITHSCORES')
for i = 2, #found, 2 do
  found[i] = whole(now - found[i])
end
return {'signs', unpack(found)}
