#!lua flags=allow-oom
-- Count a socket out. KEYS 11: the address's sockets, 12: all sockets. ARGV: socket.
redis.call('ZREM', sockets, ARGV[1])
redis.call('ZREM', KEYS[11], ARGV[1])
redis.call('ZREM', KEYS[12], ARGV[1])
return {'left'}
