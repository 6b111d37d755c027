-- Functions that scripts share. Each script gets those that it uses (chat/store/scripts.py).

-- Redis' own clock, in milliseconds: leases, due times and timestamps use no other.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Lua writes large numbers as 1.7e+12, which Redis rejects where it expects an integer.
local function whole(number)
  return string.format('%.0f', number)
end

-- Redis' used memory and its limit, in bytes; nothing if this user may not see them.
local function memory()
  local info = redis.pcall('INFO', 'memory')
  if type(info) ~= 'string' then
    return nil, nil
  end
  local function field(name)
    return tonumber(string.match(info, '\n' .. name .. ':(%d+)') or 0)
  end
  return field('used_memory') - field('mem_not_counted_for_evict'), field('maxmemory')
end

local function session_exists()
  return redis.call('EXISTS', document) == 1
end

-- Whether an operator answers this session instead of the model. Without heartbeats their claim ends by itself.
local function has_operator(session, now)
  local ends_at = redis.call('ZSCORE', operators, session)
  return ends_at and tonumber(ends_at) > now
end

local function snapshot_key(share)
  return string.format(snapshot, share)
end

-- What is known of a session's shares, by id.
local function load_shares()
  local flat, found = redis.call('HGETALL', shares), {}
  for i = 1, #flat, 2 do
    found[flat[i]] = cjson.decode(flat[i + 1])
  end
  return found
end

-- A share ends with its session, or earlier if it has a time of its own.
local function expire_share(share, ends_ms, session_ends_ms)
  local instant_ms = ends_ms and math.min(ends_ms, session_ends_ms) or session_ends_ms
  redis.call('PEXPIREAT', snapshot_key(share), whole(instant_ms))
end

-- All keys of a session expire at the same instant; the lease has its own, shorter time. Redis' files
-- must be rewritten afterwards (chat/store/operation/erasure.py): instants are rounded up, so that they are few.
local function expire_at(instant_ms)
  for _, key in ipairs({document, ids, mailbox, work, partial, shares, ratings}) do
    redis.call('PEXPIREAT', key, whole(instant_ms))
  end
  for share, details in pairs(load_shares()) do
    expire_share(share, details.ends_ms, instant_ms)
  end
  local step = math.min(math.max(math.ceil((instant_ms - now_ms()) / 60), 1), 60000)
  local rounded = whole(math.ceil(instant_ms / step) * step)
  redis.call('ZADD', deletions, rounded, rounded)
end

local function expire_with_document(key)
  redis.call('PEXPIREAT', key, whole(redis.call('PEXPIRETIME', document)))
end

local function message_count()
  return redis.call('JSON.ARRLEN', document, '$.messages')[1]
end

-- `seq` counts from 1 without gaps, so it gives the message's index without a search.
local function message_at(seq)
  local found = redis.call('JSON.GET', document, '$.messages[' .. whole(seq - 1) .. ']')
  return string.sub(found, 2, -2)
end

-- Write something although a second run changes nothing: replicas are counted from the last write
-- (chat/store/replication.py).
local function write_again()
  redis.call('HINCRBY', ids, 'bytes', 0)
end

-- The revision of the last rating, 0 if there is none.
local function ratings_revision()
  return tonumber(redis.call('ZRANGE', ratings, -1, -1, 'WITHSCORES')[2] or 0)
end

-- Insert members with whole numbers at the start of a JSON object that has at least one member.
-- It edits the text: decoding and encoding the object with cjson would turn empty arrays into objects,
-- lose digits of numbers and change escapes, but the document must contain exactly what the server wrote.
local function with_members(body, ...)
  local members = {}
  for i = 1, select('#', ...), 2 do
    local name, value = select(i, ...)
    table.insert(members, '"' .. name .. '":' .. whole(value) .. ',')
  end
  return '{' .. table.concat(members) .. string.sub(body, 2)
end

-- Add a message to the list, which only grows. Returns its seq and the message.
local function append(body, now)
  local seq = message_count() + 1
  local message = with_members(body, 'seq', seq, 'timestamp', now)
  redis.call('JSON.ARRAPPEND', document, '$.messages', message)
  redis.call('HINCRBY', ids, 'bytes', #message)
  return seq, message
end

-- The number of a message, or nil. A human's message and a reply may have the same id.
local function seq_of(id)
  return tonumber(redis.call('HGET', ids, 'human:' .. id) or redis.call('HGET', ids, 'bot:' .. id))
end

-- Generic cell rate algorithm: a burst of `limit`, then one every `60 s / limit`. Each rate is {key, limit,
-- cost}. Counts the request in all of them, or in none and returns an error reply.
-- https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
local function check_rates(now, ...)
  local longest_wait, arrivals = 0, {}
  for index, each in ipairs({...}) do
    local key, limit, cost = unpack(each)
    local arrival = math.max(tonumber(redis.call('GET', key) or 0), now) + cost * 60000 / limit
    longest_wait = math.max(longest_wait, arrival - 60000 - now)
    arrivals[index] = {key, arrival}
  end
  if longest_wait > 0.5 then
    return {'limited', 'retry_after_ms', math.ceil(longest_wait)}
  end
  for _, each in ipairs(arrivals) do
    local key, arrival = unpack(each)
    redis.call('SET', key, whole(arrival), 'PX', math.max(math.ceil(arrival - now), 1))
  end
end

-- Whether a set of open sockets contains the one of `arg`, or has space for it.
local function has_space(open, limit, now)
  redis.call('ZREMRANGEBYSCORE', open, '-inf', whole(now - arg.timeout_ms))
  return redis.call('ZSCORE', open, arg.socket) or redis.call('ZCARD', open) < tonumber(limit)
end

local function add_socket(open, now)
  redis.call('ZADD', open, whole(now), arg.socket)
  redis.call('PEXPIRE', open, arg.timeout_ms)
end

local function check_pending(limit)
  if redis.call('LLEN', mailbox) >= tonumber(limit) then
    return {'busy'}
  end
end

-- Refuse what a session has no space for: messages of known size, or one whose reply may exceed the limit.
local function check_space(messages, bytes)
  local count = message_count() + (messages or 1)
  local size = tonumber(redis.call('HGET', ids, 'bytes') or 0) + (bytes or 1)
  if count > tonumber(arg.max_messages) or size > tonumber(arg.max_bytes) then
    return {'session_full'}
  end
end

local function minute_key(now)
  return minute .. ':' .. whole(math.floor(now / 60000))
end

local function count_figure(figure, now, by)
  redis.call('HINCRBY', minute_key(now), figure, by or 1)
  redis.call('EXPIRE', minute_key(now), 7200)
end

local function record_time(figure, now)
  redis.call('HSET', minute_key(now), 'at:' .. figure, whole(now))
end

-- Whether a worker holds the lease. A lease that expired while Redis or the worker was
-- paused still counts, unless another worker has taken the session since.
local function holds_lease(value)
  local holder = redis.call('GET', lease) or redis.call('HGET', work, 'holder')
  return holder == value
end

local function stop_waiting(session)
  redis.call('ZREM', due, session)
  redis.call('ZREM', waiting, session)
end

-- The session waits for a worker from now on, unless an operator answers it. If none takes it, the sweep
-- enqueues it after `due_at`.
local function wait_for_worker(session, now, due_at)
  if has_operator(session, now) then
    return stop_waiting(session)
  end
  redis.call('ZADD', due, whole(due_at), session)
  redis.call('ZADD', waiting, 'NX', whole(now), session)
end

-- Drop the reply that an operator was writing; a worker's reply is not touched.
local function drop_operators_reply()
  local holder = redis.call('HGET', operator, 'lease')
  if holder and redis.call('HGET', work, 'holder') == holder then
    redis.call('DEL', lease, partial)
    redis.call('HDEL', work, 'holder', 'reply', 'pieces', 'retry_at')
  end
end

-- The model answers again. Its deadline for the messages that wait counts from now.
local function end_claim(session, now)
  drop_operators_reply()
  redis.call('ZREM', operators, session)
  redis.call('DEL', operator)
  local messages = redis.call('LRANGE', mailbox, 0, -1)
  for _, message in ipairs(messages) do
    redis.call('HSET', work, 'due:' .. message, whole(now))
  end
  if #messages > 0 and redis.call('EXISTS', lease) == 0 then
    wait_for_worker(session, now, now)
  end
  return #messages
end

-- Put a message into the mailbox, to be answered in place of the reply `replaces` if there is one.
local function enqueue(session, message, replaces, now, grace_ms)
  redis.call('HSET', work, 'due:' .. message, whole(now))
  if replaces then
    redis.call('HSET', work, 'replaces:' .. message, replaces)
  end
  if redis.call('RPUSH', mailbox, message) == 1 then
    wait_for_worker(session, now, now + grace_ms)
  end
end

-- The mean duration of recent replies, for queue estimates. Kept for ten minutes after the last one.
local function record_pace(name, value)
  redis.call('HSET', pace, name, whole(value))
  redis.call('PEXPIRE', pace, 600000)
end

-- The state of the queue. On a Redis Cluster this bucket has only a share of it, and the sweep records how long
-- all of it is.
local function load_queue(now)
  local waits = redis.call('ZCARD', waiting)
  local recent = redis.call('HMGET', pace, 'reply_ms', 'at', 'all_at', 'all_waiting', 'all_in_progress', 'all_reply_ms')
  local queue = {
    waiting = waits,
    in_progress = math.max(redis.call('ZCARD', due) - waits, 0),
    workers = redis.call('ZCOUNT', workers, whole(now - arg.worker_silence_ms), '+inf'),
    mean_reply_ms = tonumber(recent[1]),
    last_at = recent[2] or now,
  }
  if recent[3] and now - recent[3] < tonumber(arg.queue_kept_ms) then
    queue.waiting = math.max(tonumber(recent[4]), waits)
    queue.in_progress = math.max(tonumber(recent[5]), queue.in_progress)
    queue.mean_reply_ms = tonumber(recent[6]) > 0 and tonumber(recent[6]) or queue.mean_reply_ms
    queue.buckets = waits > 0 and queue.waiting / waits
  end
  return queue
end

-- How long the session has waited for a worker that has waited longest.
local function longest_wait_ms(now)
  local oldest = redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES')
  return oldest[2] and math.max(now - oldest[2], 0) or 0
end

-- How many sessions have waited longer than this one; nothing if it does not wait. Sessions are spread evenly over
-- buckets, so as many of each began to wait earlier.
local function sessions_ahead(session, queue)
  local rank = redis.call('ZRANK', waiting, session)
  return rank and queue.buckets and math.floor((rank + 0.5) * queue.buckets) or rank
end

local function is_usable(message)
  return not message.error and message.msg ~= ''
end

-- Add a value to a list in the document's head, or remove it. The search index has these lists instead of
-- paths through all messages, because Redis evaluates its paths after every write.
local function set_listed(name, value, is_listed)
  local found = cjson.decode(redis.call('JSON.GET', document, '$.' .. name))[1] or {}
  local values, is_found = {}, false
  for _, each in ipairs(found) do
    is_found = is_found or each == value
    if each ~= value then
      table.insert(values, cjson.encode(each))
    end
  end
  if is_found ~= is_listed then
    table.insert(values, is_listed and cjson.encode(value) or nil)
    redis.call('JSON.SET', document, '$.' .. name, '[' .. table.concat(values, ',') .. ']')
  end
end

local function set_replaced(seq, replaced_by)
  local path = '$.messages[' .. whole(seq - 1) .. '].replaced_by'
  redis.call('JSON.SET', document, path, cjson.encode(replaced_by))
end

-- The versions of a question: it, what it was edited to, and copies of these. The group is named by its
-- first message. At most one of it is current, that is, not replaced.
local function versions_of(question)
  return redis.call('HGET', ids, 'versions:' .. question) or question
end

local function add_version(question, versions)
  redis.call('HSET', ids, 'versions:' .. question, versions, 'current:' .. versions, question)
end

-- The messages from a question on as JSON, and for each whether it is that question, a later one or a reply to
-- one of these, and replaced by `replaced_by`, or by nothing if that is nil. A later message may also be the
-- reply to an earlier question: one that was regenerated or chosen.
local function branch_from(question_seq, last, replaced_by)
  local messages, is_in_branch = {}, {}
  for seq = question_seq, last do
    local message = message_at(seq)
    local decoded = cjson.decode(message)
    local is_reply = type(decoded.reply_to) == 'string'
    local asked = is_reply and redis.call('HGET', ids, 'human:' .. decoded.reply_to) or seq
    table.insert(messages, message)
    table.insert(is_in_branch, tonumber(asked) >= question_seq and decoded.replaced_by == replaced_by)
  end
  return messages, is_in_branch
end

-- Append messages as they are, in few commands: after each one, Redis indexes the whole document again.
local function append_all(messages)
  for first = 1, #messages, 1000 do
    local last = math.min(first + 999, #messages)
    redis.call('JSON.ARRAPPEND', document, '$.messages', unpack(messages, first, last))
  end
end

-- Whether a question or a later one waits for a reply or is being answered.
local function is_waiting_from(question_seq)
  for _, waiting_id in ipairs(redis.call('LRANGE', mailbox, 0, -1)) do
    if tonumber(redis.call('HGET', ids, 'human:' .. waiting_id)) >= question_seq then
      return true
    end
  end
  return false
end

-- Replace a question and what followed it by the message `new`, which is appended next.
local function replace_branch(question_seq, new)
  local messages, is_in_branch = branch_from(question_seq, message_count(), nil)
  for index, message in ipairs(messages) do
    if is_in_branch[index] then
      messages[index] = '{"replaced_by":' .. cjson.encode(new) .. ',' .. string.sub(message, 2)
    end
  end
  if question_seq == 1 then
    redis.call('JSON.SET', document, '$.messages', '[]')
  else
    redis.call('JSON.ARRTRIM', document, '$.messages', 0, question_seq - 2)
  end
  append_all(messages)
end

-- Store the outcome of the mailbox's head. Returns it and how many messages still wait.
-- A reply that failed or was stopped does not replace a good one: it is marked as replaced itself.
local function store_outcome(session, reply, head, body, replaces, is_whole, now, ttl_ms, grace_ms)
  local seq, message = append(body, now)
  local old = replaces and redis.call('HGET', ids, 'bot:' .. replaces)
  redis.call('HSET', ids, 'bot:' .. reply, seq)
  if old and not is_whole and is_usable(cjson.decode(message_at(old))) then
    redis.call('JSON.DEL', document, '$.messages[' .. whole(seq - 1) .. '].replaces')
    redis.call('JSON.SET', document, '$.messages[' .. whole(seq - 1) .. '].discarded', 'true')
    set_replaced(seq, replaces)
    message = message_at(seq)
  else
    redis.call('HSET', ids, 'answer:' .. head, reply, 'last', reply)
    if old then
      set_replaced(old, reply)
    end
  end
  redis.call('LPOP', mailbox)
  redis.call('HDEL', work, 'reply', 'pieces', 'taken', 'retry_at', 'holder', 'due:' .. head,
    'attempts:' .. head, 'replaces:' .. head, 'continues:' .. head, 'stop:' .. head)
  redis.call('DEL', partial, lease)
  local pending = redis.call('LLEN', mailbox)
  if pending > 0 then
    wait_for_worker(session, now, now + grace_ms)
  else
    stop_waiting(session)
  end
  expire_at(now + ttl_ms)
  return message, pending
end
