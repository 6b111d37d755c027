#!lua
-- Write a key to check that Redis accepts writes: out of memory, or as a replica, it refuses them.
redis.call('SET', write_check, '1', 'PX', 60000)
-- Then one that needs the JSON module. JSON.SET does not replace a value of another type.
redis.call('DEL', write_check)
local written = redis.pcall('JSON.SET', write_check, '$', '1')
redis.call('PEXPIRE', write_check, 60000)
return {'ok', 'json', written.err and 0 or 1}
