#!lua flags=allow-oom
-- Record that an operator can be asked to step in; with `is_over` that they no longer can.
if arg.is_over == '1' then
  redis.call('ZREM', on_duty, arg.socket)
else
  redis.call('ZADD', on_duty, whole(now_ms()), arg.socket)
end
return {'ok'}
