-- Erase some conversations of a user who is being erased.
-- @include removing
-- KEYS: tenant, conversations of the user, what is imported of the user, documents that erased ones mentioned, where
--       conversations are built, then of each conversation its own name, that of an import of it, what is left of it
--       where it was deleted, conversations of its agent (of the user again where it has none), then activity index and
--       rows of each shard that it may stand in
-- ARGV: key hash, shards, mark of the user, how many more to name, ids
-- Reply: 'ok', sums (removing.lua), {ids of more} | 'unauthorised' | 'shards', how many
--        | 'over': it is not being erased any more
-- One that is another user's by now stays, as does the import of one. Which documents they mentioned is noted before
-- they go. Last of all they are no more the user's: until then the next call finds them. Of what is imported and not
-- finished, the id alone leads to it.
if ARGV[2] ~= owner.shards then return {'shards', owner.shards} end
local mark, FIRST, NAMES_FROM = ARGV[3], 5, 6
local erasure = read_erasure(redis.call('HGET', KEYS[1], 'erasure:' .. mark))
if not erasure or not string.find(owner.erasing, mark .. ' ', 1, true) then return {'over'} end

local function is_theirs(user)
  return user and redis.sha1hex(user) == mark
end

local batch, paths, at = {}, {}, NAMES_FROM
local function note(header)
  for path in string.gmatch(header.docs or '', '[^\n]+') do paths[#paths + 1] = path end
end

for i = FIRST, #ARGV do
  local id, names, places = ARGV[i], nil, nil
  names, places, at = names_at(at, 4, id)
  local conversation, import, left, member = unpack(names)
  local header = fields_of(conversation, {'v', 'n', 'b', 'us', 'docs'})
  local imported, own = fields_of(import, {'us', 'docs'}), {}
  if is_theirs(imported.us) then
    own[1] = import
    note(imported)
  end
  if not header.v or is_theirs(header.us) then
    own[#own + 1], own[#own + 2] = conversation, left
    note(header)
    batch[#batch + 1] = {id = id, header = header, names = own, places = places,
      member = member ~= KEYS[2] and member or nil}
  elseif own[1] then
    batch[#batch + 1] = {id = id, header = {}, names = own, places = {}}
  end
end
for first = 1, #paths, 4000 do
  redis.call('SADD', KEYS[4], unpack(paths, first, math.min(first + 3999, #paths)))
end
remove(mark, erasure, batch)
redis.call('UNLINK', KEYS[5])
redis.call('ZREM', KEYS[3], unpack(ARGV, FIRST))
redis.call('ZREM', KEYS[2], unpack(ARGV, FIRST))
return {'ok', sums_of(erasure), ids_in(KEYS[2], KEYS[3], tonumber(ARGV[4]))}
