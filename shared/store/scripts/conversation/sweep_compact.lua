-- What compact.lua does, for the sweep, which has no tenant's key.
-- @keyless
-- @include compaction
-- KEYS, ARGV, Reply: as compact.lua
return compact(KEYS, ARGV, function() return redis.call('HGET', KEYS[1], 'shards') or '1' end)
