#!lua flags=no-writes
-- Load the values of all keys of a session, and the milliseconds until each of them expires.
if not session_exists() then
  return {'gone'}
end
return {
  'ok',
  'json', {
    'document', {redis.call('PTTL', document), redis.call('JSON.GET', document)},
  },
  'hashes', {
    'operator', {redis.call('PTTL', operator), redis.call('HGETALL', operator)},
    'shares', {redis.call('PTTL', shares), redis.call('HGETALL', shares)},
    'ids', {redis.call('PTTL', ids), redis.call('HGETALL', ids)},
    'work', {redis.call('PTTL', work), redis.call('HGETALL', work)},
  },
  'lists', {
    'mailbox', {redis.call('PTTL', mailbox), redis.call('LRANGE', mailbox, 0, -1)},
  },
  'strings', {
    'partial', {redis.call('PTTL', partial), redis.call('GET', partial)},
    'lease', {redis.call('PTTL', lease), redis.call('GET', lease)},
    'share_rate', {redis.call('PTTL', share_rate), redis.call('GET', share_rate)},
    'rate', {redis.call('PTTL', rate), redis.call('GET', rate)},
    'rating_rate', {redis.call('PTTL', rating_rate), redis.call('GET', rating_rate)},
  },
  'sorted_sets', {
    'sockets', {redis.call('PTTL', sockets), redis.call('ZRANGE', sockets, 0, -1, 'WITHSCORES')},
    'ratings', {redis.call('PTTL', ratings), redis.call('ZRANGE', ratings, 0, -1, 'WITHSCORES')},
  },
}
