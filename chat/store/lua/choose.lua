#!lua
-- Make a replaced reply or question current again: append copies of it and, for a question, of what was
-- replaced with it. The ids of copies are derived from the request's, so a second run finds the first copy.

-- A name-based UUID (version 5) with the request's id as its namespace.
-- https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-5
local namespace = string.gsub(string.gsub(arg.request, '-', ''), '%x%x', function(hex)
  return string.char(tonumber(hex, 16))
end)

local function copy_id(original)
  local hash = redis.sha1hex(namespace .. original)
  local variant = string.format('%x', 8 + tonumber(string.sub(hash, 17, 17), 16) % 4)
  return table.concat({
    string.sub(hash, 1, 8), string.sub(hash, 9, 12), '5' .. string.sub(hash, 14, 16),
    variant .. string.sub(hash, 18, 20), string.sub(hash, 21, 32),
  }, '-')
end

-- Remove the members with these names from the text of an object, like with_members without decoding the rest.
-- Quotation marks within texts are escaped, so a member is found nowhere else.
local function without_members(text, decoded, names)
  for _, name in ipairs(names) do
    local value = decoded[name]
    if value and value ~= cjson.null then
      local json = type(value) == 'number' and whole(value) or cjson.encode(value)
      local member = '"' .. name .. '":' .. json
      local first, last = string.find(text, member .. ',', 1, true)
      if not first then
        first, last = string.find(text, ',' .. member, 1, true)
      end
      text = string.sub(text, 1, first - 1) .. string.sub(text, last + 1)
    end
  end
  return text
end

-- Return a copy of a message with the number `seq`, and note its id.
local function copy_of(text, seq, reply_to, replaces, now)
  local decoded = cjson.decode(text)
  local id = copy_id(decoded.id)
  local members = {'"id":' .. cjson.encode(id)}
  table.insert(members, '"version_of":' .. cjson.encode(decoded.version_of or decoded.id))
  if replaces then
    table.insert(members, '"replaces":' .. cjson.encode(replaces))
  end
  if reply_to then
    table.insert(members, '"reply_to":' .. cjson.encode(reply_to))
    redis.call('HSET', ids, 'bot:' .. id, seq, 'answer:' .. reply_to, id)
  else
    redis.call('HSET', ids, 'human:' .. id, seq)
    add_version(id, versions_of(decoded.id))
  end
  local rest = without_members(text, decoded, {
    'id', 'seq', 'timestamp', 'reply_to', 'replaced_by', 'replaces', 'continues', 'version_of'})
  local copy = '{' .. table.concat(members, ',') .. ',' .. string.sub(rest, 2)
  return with_members(copy, 'seq', seq, 'timestamp', now), id
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
  write_again()
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

local copied = {}
if is_question then
  local last = seq_of(version.replaced_by) - 1
  local messages, is_in_branch = branch_from(seq, last, version.replaced_by)
  for index, message in ipairs(messages) do
    if is_in_branch[index] then
      table.insert(copied, message)
    end
  end
else
  copied = {message_at(seq)}
end
local bytes = #table.concat(copied)
local now = now_ms()
local refused = check_space(#copied, bytes) or check_rates(now,
  {rate, arg.per_minute, 1},
  {address_messages, arg.per_minute_per_ip, 1},
  {address_bytes, arg.bytes_per_minute_per_ip, math.min(bytes, tonumber(arg.bytes_per_minute_per_ip))})
if refused then
  return refused
end

local first_seq = message_count() + 1
local replaced = is_question and question or reply
local copies, last_reply = {}, nil
for index, text in ipairs(copied) do
  local reply_to = cjson.decode(text).reply_to
  if type(reply_to) == 'string' then
    reply_to = is_question and copy_id(reply_to) or question
  else
    reply_to = nil
  end
  local copy, id = copy_of(text, first_seq + index - 1, reply_to, index == 1 and replaced, now)
  table.insert(copies, copy)
  last_reply = reply_to and id or last_reply
end
if is_question then
  replace_branch(question_seq, copy_id(version.id))
else
  set_replaced(reply_seq, last_reply)
end
append_all(copies)
-- A rating belongs to the reply that it was given to. Comments may be written in several ways: not in the text.
for _, name in ipairs({'rating', 'comment'}) do
  redis.call('JSON.DEL', document, '$.messages[' .. whole(first_seq - 1) .. ':].' .. name)
end
redis.call('HINCRBY', ids, 'bytes', #table.concat(copies))
if last_reply and (is_question or redis.call('HGET', ids, 'last') == reply) then
  redis.call('HSET', ids, 'last', last_reply)
end
expire_at(now + arg.ttl_ms)
return {'ok', 'message', message_at(first_seq), 'new', true}
