#!lua flags=allow-oom
-- Write something, so that a load waits for the replicas: chat/store/replication.py.
if session_exists() then
  write_again()
end
return {'ok'}
