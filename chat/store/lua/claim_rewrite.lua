#!lua flags=allow-oom
-- Claim a rewrite of Redis' files if they contain deleted texts, at most once per interval.
local now = now_ms()
if redis.call('HGET', rewrite, 'claim') == arg.claim then
  return {'ok', 'claimed', true}
end
local started = tonumber(redis.call('HGET', rewrite, 'started') or 0)
if redis.call('ZCOUNT', deletions, '-inf', whole(now)) == 0 or now < started + arg.interval_ms then
  return {'ok', 'claimed', false}
end
redis.call('HSET', rewrite, 'started', whole(now), 'run', arg.run, 'claim', arg.claim)
return {'ok', 'claimed', true}
