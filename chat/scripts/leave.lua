#!lua flags=allow-oom
-- Count a socket out. KEYS 10: the address's sockets. ARGV: socket.
redis.call('ZREM', sockets, ARGV[1])
redis.call('ZREM', KEYS[10], ARGV[1])
return {'left'}
