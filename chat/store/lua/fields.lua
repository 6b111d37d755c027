#!lua flags=no-writes
-- Get values from a session's document. ARGV: JSON paths, at least two.
if not alive() then
  return {'unknown'}
end
return {'fields', redis.call('JSON.GET', document, unpack(ARGV))}
