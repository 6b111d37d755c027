#!lua flags=allow-oom
-- Start the session's time again. ARGV: ttl_ms.
if not alive() then
  return {'unknown'}
end
end_at(now_ms() + ARGV[1])
return {'extended'}
