#!lua flags=no-writes
-- Load one part of a snapshot, how many it has, and the session that it shows.
local found = redis.call('HMGET', snapshot, 'session', 'parts', arg.part)
if not found[1] then
  return {'gone'}
end
return {'ok', 'session', found[1], 'parts', tonumber(found[2]), 'text', found[3]}
