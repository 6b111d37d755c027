#!lua flags=no-writes
-- Load a session at one moment, with a page of its messages after `after`, whose id is `known` or '', and
-- before `before`; and the ratings of others that changed after the revision `rated`, if it is not ''.
if not session_exists() then
  return {'unknown'}
end
local now = now_ms()
local length = message_count()
local after = tonumber(arg.after)
local function is_known(id)
  local seq = redis.call('HGET', ids, 'human:' .. id) or redis.call('HGET', ids, 'bot:' .. id)
  return tonumber(seq or 0) == after
end
local revision, rated = ratings_revision(), tonumber(arg.rated)
local recovered = after <= length and (arg.known == '' or is_known(arg.known))
  and (not rated or rated <= revision)

-- The ratings changed after a revision, of messages up to `after`, as JSON; nothing if there are too many.
local function changed_ratings(start)
  local found, bytes = {}, 0
  local changed = redis.call('ZRANGEBYSCORE', ratings, '(' .. whole(start), '+inf', 'WITHSCORES')
  for i = 1, #changed, 2 do
    if tonumber(changed[i]) <= after then
      local message = cjson.decode(message_at(changed[i]))
      local rating = cjson.encode({id = message.id, reply_to = message.reply_to, rating = message.rating,
        comment = message.comment, revision = tonumber(changed[i + 1])})
      bytes = bytes + #rating
      table.insert(found, rating)
      if #found > tonumber(arg.max_ratings) or bytes > tonumber(arg.page_bytes) then
        return nil
      end
    end
  end
  return found
end

local changed = recovered and rated and changed_ratings(rated) or not (recovered and rated) and {}
after = changed and after or 0
local first, last = (recovered and after or 0) + 1, math.min(tonumber(arg.before) - 1, length)

-- The newest or oldest messages of the range, up to both limits of a page, but at least one. Returns them
-- as JSON, and whether the range has more.
local function page()
  local messages, bytes = {}, 0
  local most, most_bytes = tonumber(arg.page_messages), tonumber(arg.page_bytes)
  local is_newest = arg.page_end == 'newest'
  for index = 0, last - first do
    local message = #messages < most and message_at(is_newest and last - index or first + index)
    bytes = bytes + (message and #message or 0)
    if not message or #messages > 0 and bytes > most_bytes then
      return messages, true
    end
    table.insert(messages, is_newest and 1 or #messages + 1, message)
  end
  return messages, false
end

local messages, is_truncated = page()
local pending = redis.call('LRANGE', mailbox, 0, -1)
local is_held = pending[1] and redis.call('EXISTS', lease) == 1
local reply = is_held and redis.call('HGET', work, 'reply')
local is_operators = reply and redis.call('GET', lease) == redis.call('HGET', operator, 'lease')
local is_continued = reply and not is_operators and redis.call('HEXISTS', work, 'continues:' .. pending[1]) == 1
local person = has_operator(arg.session, now) and redis.call('HMGET', operator, 'name', 'user', 'joined') or {}
local queue = load_queue(now)
local since = is_held and redis.call('HGET', work, 'taken') or queue.last_at
local retry_at = is_held and redis.call('HGET', work, 'retry_at') or now
return {
  'ok',
  'head', redis.call('JSON.GET', document, '$.name', '$.session_start'),
  'messages', '[' .. table.concat(messages, ',') .. ']',
  'is_truncated', is_truncated,
  'expires_ms', redis.call('PEXPIRETIME', document),
  'remaining_ms', redis.call('PTTL', document),
  'last_seq', length,
  'recovered', recovered,
  'ratings_revision', revision,
  'ratings', '[' .. table.concat(changed or {}, ',') .. ']',
  'is_restarted', not changed,
  'pending', pending,
  'reply', reply or false,
  'text', reply and redis.call('GET', partial) or '',
  'retry_in_ms', math.max(retry_at - now, 0),
  'ahead', not is_held and sessions_ahead(arg.session, queue) or 0,
  'waiting', queue.waiting,
  'in_progress', queue.in_progress,
  'workers', queue.workers,
  'mean_reply_ms', queue.mean_reply_ms or false,
  'continues', is_continued and redis.call('HGET', work, 'replaces:' .. pending[1]) or false,
  'is_operators', is_operators or false,
  'operator_name', person[1] or false,
  'operator_user', person[2] or false,
  'operator_joined_ms', tonumber(person[3] or 0),
  'operator_requested', redis.call('ZSCORE', requests, arg.session) and true or false,
  'operators_on_duty', redis.call('ZCOUNT', on_duty, whole(now - arg.duty_timeout_ms), '+inf'),
  'elapsed_ms', math.max(now - since, 0),
}
