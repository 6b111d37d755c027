#!lua flags=no-writes
-- List the sessions whose visitors ask for a person, the oldest request first.
local found = redis.call('ZRANGE', requests, 0, arg.most - 1, 'WITHSCORES')
local rows = {}
for i = 1, #found, 2 do
  local name = redis.call('JSON.GET', string.format(document_key, found[i]), '$.name')
  if name then
    table.insert(rows, {'session', found[i], 'name', name, 'requested_ms', tonumber(found[i + 1])})
  end
end
return {'ok', 'requests', rows}
