-- Keep the counts of a second encoding, by blocks of entries. A count never changes within a generation, so
-- writers that race lose nothing but work.
-- KEYS: tenant, conversation
-- ARGV: key hash, generation, encoding, then per block: its number, its counts
if redis.call('HGET', KEYS[2], 'g') ~= ARGV[2] then return {'moved'} end
local fields = {}
for i = 4, #ARGV, 2 do
  fields[#fields + 1] = 'q:' .. ARGV[3] .. ':' .. ARGV[i]
  fields[#fields + 1] = ARGV[i + 1]
end
redis.call('HSET', KEYS[2], unpack(fields))
return {'ok'}
