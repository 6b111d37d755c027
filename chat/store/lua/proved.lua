#!lua flags=no-writes
-- Tell whether the task was done. KEYS 13: the proof.
return {redis.call('EXISTS', KEYS[13]) == 1 and 'yes' or 'no'}
