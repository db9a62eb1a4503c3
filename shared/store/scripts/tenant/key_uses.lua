-- Keys were used: when, to the hour, written once for it. One that was revoked since leaves nothing behind.
-- @keyless
-- @include text
-- KEYS: tenant
-- ARGV: when the hour began, then key hashes
-- Reply: 'ok', how many were written
local names = {}
for i = 2, #ARGV do
  names[#names + 1] = 'k:' .. ARGV[i]
  names[#names + 1] = 'used:' .. ARGV[i]
end
local found, fields = redis.call('HMGET', KEYS[1], unpack(names)), {}
for i = 1, #names, 2 do
  if found[i] and tonumber(found[i + 1] or 0) < tonumber(ARGV[1]) then
    fields[#fields + 1] = names[i + 1]
    fields[#fields + 1] = ARGV[1]
  end
end
if #fields > 0 then redis.call('HSET', KEYS[1], unpack(fields)) end
return {'ok', text(#fields / 2)}
