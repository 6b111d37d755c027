#!lua flags=allow-oom
-- Remove a session and everything about it. ARGV: session.
local existed = redis.call('DEL', document)
redis.call('DEL', ids, mailbox, work, partial, lease, rate, sockets)
wait_no_more(ARGV[1])
return {existed == 1 and 'erased' or 'unknown'}
