#!lua
-- Make a replaced reply or question current again: append copies of it and, for a question, of what was
-- replaced with it. The ids of copies are derived from the request's, so a second run finds the first copy.

-- A name-based UUID (version 5) with the request's id as its namespace.
-- https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-5
local function copy_id(original)
  local digits = string.gsub(arg.request, '-', '')
  local namespace = string.gsub(digits, '%x%x', function(hex)
    return string.char(tonumber(hex, 16))
  end)
  local hash = redis.sha1hex(namespace .. original)
  local variant = string.format('%x', 8 + tonumber(string.sub(hash, 17, 17), 16) % 4)
  return table.concat({
    string.sub(hash, 1, 8), string.sub(hash, 9, 12), '5' .. string.sub(hash, 14, 16),
    variant .. string.sub(hash, 18, 20), string.sub(hash, 21, 32),
  }, '-')
end

-- Append a copy of a message, made of its JSON text like every other (see with_members).
local function append_copy(seq, reply_to, replaces, now)
  local original = cjson.decode(message_at(seq))
  local id, copy_seq = copy_id(original.id), message_count() + 1
  redis.call('JSON.ARRAPPEND', document, '$.messages', message_at(seq))
  local path = '$.messages[' .. whole(copy_seq - 1) .. '].'
  local function set(name, json)
    redis.call('JSON.SET', document, path .. name, json)
  end
  for _, name in ipairs({'replaced_by', 'replaces', 'continues'}) do
    redis.call('JSON.DEL', document, path .. name)
  end
  set('id', cjson.encode(id))
  set('seq', whole(copy_seq))
  set('timestamp', whole(now))
  set('version_of', cjson.encode(original.version_of or original.id))
  if replaces then
    set('replaces', cjson.encode(replaces))
  end
  if reply_to then
    set('reply_to', cjson.encode(reply_to))
    redis.call('HSET', ids, 'bot:' .. id, copy_seq, 'answer:' .. reply_to, id)
  else
    redis.call('HSET', ids, 'human:' .. id, copy_seq)
    add_version(id, versions_of(original.id))
  end
  redis.call('HINCRBY', ids, 'bytes', #message_at(copy_seq))
  return id, copy_seq
end

local function original_of(message)
  return message.version_of or message.id
end

if not session_exists() then
  return {'unknown'}
end
local seq = seq_of(arg.version)
if not seq then
  return {'absent'}
end
local known = seq_of(copy_id(arg.version))
local version = cjson.decode(message_at(seq))
if known or not version.replaced_by then
  return {'ok', 'message', message_at(known or seq), 'new', false}
end
if redis.call('LLEN', mailbox) > 0 then
  return {'answering'}
end

local is_question = version.source == 'human'
local asked = is_question and version
  or cjson.decode(message_at(redis.call('HGET', ids, 'human:' .. version.reply_to)))
local versions = versions_of(asked.id)
local question = redis.call('HGET', ids, 'current:' .. versions) or versions
local question_seq = tonumber(redis.call('HGET', ids, 'human:' .. question))
local current_question = cjson.decode(message_at(question_seq))
local is_other_question = original_of(current_question) ~= original_of(asked)
if current_question.replaced_by or (is_other_question and not is_question) then
  return {'not_version'}
end
local reply = redis.call('HGET', ids, 'answer:' .. question)
local reply_seq = redis.call('HGET', ids, 'bot:' .. reply)
local current_seq = is_question and question_seq or tonumber(reply_seq)
if original_of(cjson.decode(message_at(current_seq))) == original_of(version) then
  return {'ok', 'message', message_at(current_seq), 'new', false}
end
if not is_question and (version.discarded or not is_usable(version)) then
  return {'not_version'}
end

local copied, bytes = {}, 0
local function add(at)
  table.insert(copied, at)
  bytes = bytes + #message_at(at)
end
if is_question then
  visit_branch(seq, seq_of(version.replaced_by), version.replaced_by, add)
else
  add(seq)
end
local now = now_ms()
local refused = check_space(#copied, bytes) or check_rates(now,
  {rate, arg.per_minute, 1},
  {address_messages, arg.per_minute_per_ip, 1},
  {address_bytes, arg.bytes_per_minute_per_ip, math.min(bytes, tonumber(arg.bytes_per_minute_per_ip))})
if refused then
  return refused
end

local first_seq
if is_question then
  local last_reply
  for index, at in ipairs(copied) do
    local reply_to = cjson.decode(message_at(at)).reply_to
    reply_to = type(reply_to) == 'string' and copy_id(reply_to)
    local id, copy_seq = append_copy(at, reply_to, index == 1 and question, now)
    first_seq = first_seq or copy_seq
    last_reply = reply_to and id or last_reply
  end
  replace_branch(question_seq, copy_id(version.id), first_seq)
  if last_reply then
    redis.call('HSET', ids, 'last', last_reply)
  end
else
  local id
  id, first_seq = append_copy(seq, question, reply, now)
  set_replaced(reply_seq, id)
  if redis.call('HGET', ids, 'last') == reply then
    redis.call('HSET', ids, 'last', id)
  end
end
expire_at(now + arg.ttl_ms)
return {'ok', 'message', message_at(first_seq), 'new', true}
