-- Erase some conversations of a tenant whose keys were revoked; with none it is only begun.
-- @keyless
-- @include removing
-- KEYS: tenant, then of each conversation its own name, that of an import of it, what is left of it where it was
--       deleted, then activity index and rows of each shard that it may stand in
-- ARGV: id of the erasure if it is new, shards, ids
-- Reply: 'ok', sums (removing.lua) | 'shards', how many
local shards = redis.call('HGET', KEYS[1], 'shards') or '1'
if ARGV[2] ~= shards then return {'shards', shards} end
local MARK, FIRST, batch, at = 'tenant', 3, {}, 2
local erasure = read_erasure(redis.call('HGET', KEYS[1], 'erasure:' .. MARK))
if not erasure then
  erasure = {id = ARGV[1], begun = now_ms(), conversations = 0, items = 0, bytes = 0, names = 0, counted = ''}
  redis.call('HSET', KEYS[1], 'erasure:' .. MARK, written_erasure(erasure))
end
for i = FIRST, #ARGV do
  local names, places
  names, places, at = names_at(at, 3, ARGV[i])
  batch[#batch + 1] = {id = ARGV[i], header = fields_of(names[1], {'v', 'n', 'b'}), names = names, places = places}
end
remove(MARK, erasure, batch)
return {'ok', sums_of(erasure)}
