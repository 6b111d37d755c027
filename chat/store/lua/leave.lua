#!lua flags=allow-oom
-- Count a socket out. KEYS 13: the address's sockets, 14: all sockets. ARGV: socket.
redis.call('ZREM', sockets, ARGV[1])
redis.call('ZREM', KEYS[13], ARGV[1])
redis.call('ZREM', KEYS[14], ARGV[1])
return {'left'}
