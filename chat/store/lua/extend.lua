#!lua flags=allow-oom
-- Restart the session's time to live.
if not session_exists() then
  return {'unknown'}
end
expire_at(now_ms() + arg.ttl_ms)
return {'ok'}
