#!lua
-- Rate a stored reply, or revoke its rating. The same rating again changes nothing. A revision is a time, so
-- that one which Redis lost is not used again.
if not session_exists() then
  return {'unknown'}
end
local seq = redis.call('HGET', ids, 'bot:' .. arg.reply)
if not seq then
  return {'absent'}
end
local message = cjson.decode(message_at(seq))
if message.error or type(message.reply_to) ~= 'string' then
  return {'not_rateable'}
end
local previous = ratings_revision()
local function rated(revision, is_new)
  return {'ok', 'reply_to', message.reply_to, 'revision', revision, 'previous', previous, 'new', is_new}
end
local old_rating, old_comment = message.rating or '', message.comment or ''
if old_rating == arg.rating and old_comment == arg.comment then
  return rated(tonumber(redis.call('ZSCORE', ratings, seq) or 0), false)
end
local growth = #arg.comment - #old_comment
if growth > 0 and (redis.call('HGET', ids, 'bytes') or 0) + growth > tonumber(arg.max_bytes) then
  return {'session_full'}
end
local now = now_ms()
local refused = check_rates(now,
  {rating_rate, arg.per_minute, 1},
  {address_messages, arg.per_minute_per_ip, 1})
if refused then
  return refused
end
for name, value in pairs({rating = arg.rating, comment = arg.comment}) do
  local path = '$.messages[' .. whole(seq - 1) .. '].' .. name
  if value ~= '' then
    redis.call('JSON.SET', document, path, cjson.encode(value))
  else
    redis.call('JSON.DEL', document, path)
  end
end
redis.call('HINCRBY', ids, 'bytes', whole(growth))
-- Whether any reply still has the rating that this one had.
local function is_given(rating)
  for _, each in ipairs(redis.call('ZRANGE', ratings, 0, -1)) do
    if cjson.decode(message_at(each)).rating == rating then
      return true
    end
  end
  return false
end

if old_rating ~= arg.rating then
  if old_rating ~= '' then
    set_listed('ratings', old_rating, is_given(old_rating))
  end
  if arg.rating ~= '' then
    set_listed('ratings', arg.rating, true)
  end
end
local revision = math.max(now, previous + 1)
redis.call('ZADD', ratings, whole(revision), seq)
expire_with_document(ratings)
if old_comment ~= '' then
  redis.call('ZADD', deletions, whole(now), 'erased')
end
for rating, by in pairs({[old_rating] = -1, [arg.rating] = 1}) do
  if rating ~= '' and old_rating ~= arg.rating then
    count_figure('rated:' .. rating, now, by)
  end
end
return rated(revision, true)
