-- Marks of a scope, some at a time.
-- @keyless
-- @reads
-- KEYS: marks of the scope
-- ARGV: cursor, how many
-- Reply: 'ok', next cursor ('0': that was all), {path, mark, …}
local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
return {'ok', page[1], page[2]}
