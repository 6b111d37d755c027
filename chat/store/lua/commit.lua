#!lua
-- Store the one outcome of the mailbox's head and give the lease back, for the lease holder only.
-- A second run with the same reply id returns what the first one stored.
if not session_exists() then
  stop_waiting(arg.session)
  return {'unknown'}
end
local known = redis.call('HGET', ids, 'bot:' .. arg.reply)
if known then
  write_again()
  return {'ok', 'message', message_at(known), 'pending', redis.call('LLEN', mailbox), 'longest_wait_ms', 0}
end
if not holds_lease(arg.lease) or redis.call('LINDEX', mailbox, 0) ~= arg.reply_to then
  return {'lost'}
end
local now = now_ms()
local taken = redis.call('HGET', work, 'taken')
if taken then
  -- An exponentially weighted mean, so that estimates follow the model.
  local took = now - taken
  local mean = redis.call('HGET', pace, 'reply_ms') or took
  record_pace('reply_ms', mean + (took - mean) / 8)
  record_pace('at', now)
end
local replaces = arg.replaces ~= '' and arg.replaces
local message, pending = store_outcome(
  arg.session, arg.reply, arg.reply_to, arg.body, replaces, arg.is_whole == '1', now, arg.ttl_ms, arg.grace_ms)
local failure = string.match(arg.figures, 'failed:(%S+)')
if failure then
  set_listed('failures', failure, true)
end
for figure in string.gmatch(arg.figures, '%S+') do
  count_figure(figure, now)
end
record_time(string.match(arg.figures, '%S+'), now)
return {'ok', 'message', message, 'pending', pending, 'longest_wait_ms', longest_wait_ms(now)}
