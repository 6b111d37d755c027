#!lua
-- Count a socket in, or say again that it is there; tells how many messages the session has.
-- KEYS 13: the address's sockets, 14: all sockets.
-- ARGV: socket, most a session, most an address, milliseconds a silent socket counts.
if not alive() then
  return {'unknown'}
end
local by_address = KEYS[13]
local now = now_ms()
for key, most in pairs({[sockets] = tonumber(ARGV[2]), [by_address] = tonumber(ARGV[3])}) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', whole(now - ARGV[4]))
  if not redis.call('ZSCORE', key, ARGV[1]) and redis.call('ZCARD', key) >= most then
    return {'full'}
  end
end
for _, key in ipairs({sockets, by_address}) do
  redis.call('ZADD', key, whole(now), ARGV[1])
  redis.call('PEXPIRE', key, ARGV[4])
end
redis.call('ZADD', KEYS[14], whole(now), ARGV[1])
return {'entered', whole(count())}
