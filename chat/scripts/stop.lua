#!lua
-- Ask that a waiting message's reply be written no further. ARGV: message id.
-- The worker that holds it, or the next to take it, sees the mark and commits what there is.
if not alive() then
  return {'unknown'}
end
if redis.call('HEXISTS', work, 'due:' .. ARGV[1]) == 1 then
  redis.call('HSET', work, 'stop:' .. ARGV[1], '1')
  return {'stopping'}
end
local answer = redis.call('HGET', ids, 'answer:' .. ARGV[1])
if not answer then
  return {'absent'}
end
return {'answered', message_at(redis.call('HGET', ids, 'bot:' .. answer))}
