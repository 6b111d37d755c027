#!lua flags=allow-oom
-- Delete a share of this session.
local existed = redis.call('HDEL', shares, arg.share) == 1
if existed then
  redis.call('DEL', snapshot_key(arg.share))
end
return {'ok', 'existed', existed}
