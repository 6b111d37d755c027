#!lua flags=allow-oom
-- Delete a session and everything about it.
for share in pairs(load_shares()) do
  redis.call('DEL', snapshot_key(share))
end
local existed = redis.call('DEL', document) == 1
redis.call('SET', lease, '')  -- so that a second run writes as well: chat/store/replication.py
redis.call('DEL', ids, mailbox, work, partial, lease, rate, sockets, shares, share_rate, operator, ratings,
  rating_rate)
stop_waiting(arg.session)
redis.call('ZREM', operators, arg.session)
redis.call('ZREM', requests, arg.session)
if existed then
  redis.call('ZADD', deletions, whole(now_ms()), 'erased')
end
return {'ok', 'existed', existed}
