-- Make the row of one conversation right, and its places in the sets of users and agents; or take away all its places
-- when there is none.
-- @keyless
-- @include fields, members
-- KEYS: conversation, then activity index and rows, of each shard it may stand in, its own first, then sets of users
--       and agents
-- ARGV: id, how many names of indexes there are, then of each set: 'us' or 'ag', the name of whose it is
-- Reply: 'ok', '1' if it is there | 'owner', {'us' or 'ag', name, …}: sets in which it stands, or should, and that its
--        caller did not name; nothing was done
local id, last_index = ARGV[1], 1 + tonumber(ARGV[2])
local header = fields_of(KEYS[1], and_owned({'v', 'b', 'c', 'e', 't', 'm'}))
local rows, sets, lacking = {}, {us = {}, ag = {}}, {}
for i = 3, last_index, 2 do rows[#rows + 1] = KEYS[i] end
for i = 3, #ARGV, 2 do sets[ARGV[i]][ARGV[i + 1]] = KEYS[last_index + (i - 1) / 2] end
for _, owned in ipairs({header, owners_by_rows(rows, id)}) do
  for field, named in pairs(sets) do
    local name = owned[field] or ''
    if name ~= '' and not named[name] then lacking[#lacking + 1], lacking[#lacking + 2] = field, name end
  end
end
if #lacking > 0 then return {'owner', lacking} end

if not header.v then redis.call('UNLINK', KEYS[1]) end
for field, named in pairs(sets) do
  for name, set in pairs(named) do
    if header.v and header[field] == name then
      join({set}, id, header)
    else
      redis.call('ZREM', set, id)
    end
  end
end
if header.v then
  -- An expiry that was to change may have been taken away (change.lua).
  if header.e ~= '0' then redis.call('EXPIRE', KEYS[1], header.e, 'NX') end
  redis.call('HSET', KEYS[3], id, row(header.c, header.e, header.t, header.b, header.m, header))
  return {'ok', '1'}
end
for i = 2, last_index, 2 do
  redis.call('HDEL', KEYS[i + 1], id)
  redis.call('ZREM', KEYS[i], id)
end
return {'ok', '0'}
