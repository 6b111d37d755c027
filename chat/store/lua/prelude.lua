-- Put before every script: the session's keys by name, the clock, the session's time.
local document, ids, mailbox, work, partial, lease, rate, sockets =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local due, minute, waiting, pace = KEYS[9], KEYS[10], KEYS[11], KEYS[12]

-- Redis' own clock, in milliseconds: the only one that leases, due times and timestamps know.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function whole(number)
  return string.format('%.0f', number)
end

local function alive()
  return redis.call('EXISTS', document) == 1
end

-- All keys of a session end at the same instant; the lease has its own, shorter time.
local function end_at(instant_ms)
  for _, key in ipairs({document, ids, mailbox, work, partial}) do
    redis.call('PEXPIREAT', key, whole(instant_ms))
  end
end

local function end_with_document(key)
  redis.call('PEXPIREAT', key, whole(redis.call('PEXPIRETIME', document)))
end

local function count()
  return redis.call('JSON.ARRLEN', document, '$.messages')[1]
end

-- Seq and index are one count, so a message is found without a search.
local function message_at(seq)
  local found = redis.call('JSON.GET', document, '$.messages[' .. (seq - 1) .. ']')
  return string.sub(found, 2, -2)
end

-- The list only grows. The body is JSON without seq and timestamp; it is never decoded here, so
-- nothing of it can be changed by a second encoder.
local function append(body, now)
  local seq = count() + 1
  local message = '{"seq":' .. seq .. ',"timestamp":' .. whole(now) .. ',' .. string.sub(body, 2)
  redis.call('JSON.ARRAPPEND', document, '$.messages', message)
  return seq, message
end

-- Generic cell rate: a burst of `limit`, then one every `60 s / limit`. Returns the milliseconds to
-- wait, 0 where it is allowed and counted.
local function throttle(key, limit, now)
  local interval = 60000 / limit
  local arrival = math.max(tonumber(redis.call('GET', key) or 0), now)
  local wait = arrival + interval - 60000 - now
  if wait > 0.5 then
    return math.ceil(wait)
  end
  redis.call('SET', key, whole(arrival + interval), 'PX', 60000 + math.ceil(interval))
  return 0
end

-- The figures of the service, a hash for each minute. Those of the last hour are read.
local function this_minute(now)
  return minute .. ':' .. whole(math.floor(now / 60000))
end

local function tally(figure, now)
  local key = this_minute(now)
  redis.call('HINCRBY', key, figure, 1)
  redis.call('EXPIRE', key, 7200)
end

-- Note that a session waits for a worker from now on. The sweep looks at it at `look_at`.
local function wait_for_worker(session, now, look_at)
  redis.call('ZADD', due, whole(look_at), session)
  redis.call('ZADD', waiting, 'NX', whole(now), session)
end

local function wait_no_more(session)
  redis.call('ZREM', due, session)
  redis.call('ZREM', waiting, session)
end

-- What is known of the service's pace counts for ten minutes after the last reply.
local function note_pace(name, value)
  redis.call('HSET', pace, name, whole(value))
  redis.call('PEXPIRE', pace, 600000)
end

-- Put an outcome in the place of the mailbox's head. Returns it and how many still wait.
local function store_outcome(session, reply, head, body, replaced, now, ttl_ms, grace_ms)
  local seq, message = append(body, now)
  redis.call('HSET', ids, 'bot:' .. reply, seq, 'answer:' .. head, reply, 'last', reply)
  if replaced ~= '' then
    local index = redis.call('HGET', ids, 'bot:' .. replaced) - 1
    redis.call('JSON.SET', document, '$.messages[' .. index .. '].replaced_by', '"' .. reply .. '"')
  end
  redis.call('LPOP', mailbox)
  redis.call('HDEL', work, 'reply', 'pieces', 'taken', 'retry_at', 'due:' .. head,
    'attempts:' .. head, 'replaces:' .. head, 'stop:' .. head)
  redis.call('DEL', partial, lease)
  local pending = redis.call('LLEN', mailbox)
  if pending > 0 then
    wait_for_worker(session, now, now + grace_ms)
  else
    wait_no_more(session)
  end
  end_at(now + ttl_ms)
  return message, pending
end
