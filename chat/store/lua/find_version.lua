#!lua flags=no-writes
-- Find the branch of a replaced message: the range of messages among which are those that were replaced with
-- it. A reply has none but itself.
if not session_exists() then
  return {'unknown'}
end
local seq = seq_of(arg.version)
if not seq then
  return {'absent'}
end
local message = cjson.decode(message_at(seq))
if not message.replaced_by then
  return {'not_replaced'}
end
local by = message.source == 'human' and seq_of(message.replaced_by)
return {'ok', 'first', seq, 'last', by and by - 1 or seq, 'replaced_by', message.replaced_by}
