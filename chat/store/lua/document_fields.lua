#!lua flags=no-writes
-- Get values from a session's document by JSON paths, at least two: with one, Redis returns an array
-- instead of an object.
if not session_exists() then
  return {'gone'}
end
return {'found', 'values', redis.call('JSON.GET', document, unpack(cjson.decode(arg.paths)))}
