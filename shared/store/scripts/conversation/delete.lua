-- Remove a conversation, its items and its place in the indexes.
-- @include charge, erasing, fields, members, once
-- KEYS: tenant, conversation, what is left of it, the sets of its user and its agent if it has them, then activity
--       index and rows, of each shard it may stand in, record (only with an Idempotency-Key)
-- ARGV: key hash, seed, fingerprint, record_s, expected versions, conversation id, shards, '1' with an Idempotency-Key,
--       for how long something is left of it, whom its caller believes to be its user and its agent ('' for nobody)
-- Reply: 'ok', seed | 'unauthorised' | 'erasing' | 'shards', how many | 'reused' | 'unknown'
--        | 'moved', generation, version, chain
--        | 'owner', user, agent: where they are not whom its caller believes
-- What is left is '<seed> <times, in µs, of its creation and of the last write>': what is gone cannot say who removed
-- it, and a list may go on behind it. It is written first, and means nothing while the conversation is there.
local conversation, left = KEYS[2], KEYS[3]
local seed, fingerprint, record_s, expected, id, shards, is_keyed = unpack(ARGV, 2, 8)
if shards ~= owner.shards then return {'shards', owner.shards} end
local sets, indexes_at = sets_of(KEYS, 4, ARGV[10], ARGV[11])
local indexes, record = {unpack(KEYS, indexes_at)}, nil
if is_keyed == '1' then record = table.remove(indexes) end
local kept = recall(record, fingerprint)
if kept and kept[1] == 'reused' then return kept end

local header = fields_of(conversation, and_owned({'v', 'h', 'g', 'b', 'c'}))
local fenced = refusal_of_erasing(header.us)
if fenced then return fenced end
if header.v and has_moved(expected, header) then return {'moved', header.g, header.v, header.h} end
-- What an attempt left that came no further than the conversation, its row tells of.
local wrong = refusal_of_owners(header.v and header or owners_by_rows({indexes[2], indexes[4]}, id), ARGV[10], ARGV[11])
if wrong then return wrong end
if header.v then
  local written = redis.call('ZSCORE', indexes[1], id) or (indexes[3] and redis.call('ZSCORE', indexes[3], id))
  local made = text(created_us(header.c, header))
  redis.call('SET', left, seed .. ' ' .. made .. ' ' .. (written or '0'), 'EX', ARGV[9])
  remember(record, fingerprint, record_s, {'ok', seed})
  -- Until its row is gone, whoever meets it asks for the conversation.
  redis.call('HSET', indexes[2], id, PENDING .. row('0', '0', '0', '0', '{}', header))
end
redis.call('UNLINK', conversation)
if header.v then charge(id, tonumber(header.b), 0) end
for _, set in ipairs(sets) do redis.call('ZREM', set, id) end
for i = 1, #indexes, 2 do
  redis.call('HDEL', indexes[i + 1], id)
  redis.call('ZREM', indexes[i], id)
end
if header.v then
  return {'ok', seed}
end
if kept then return kept end
local seed_then = string.match(redis.call('GET', left) or '', '^(%x+) ')
return seed_then == seed and {'ok', seed} or {'unknown'}
