-- Remove a conversation, its items and its place in the indexes.
-- @include charge, fields, index, once
-- KEYS: tenant, conversation, what is left of it, then activity index and rows, of each shard it may stand in, record
-- (only with an Idempotency-Key)
-- ARGV: key hash, seed, fingerprint, record_s, expected versions, conversation id, shards, '1' with an Idempotency-Key,
--       for how long something is left of it
-- Reply: 'ok', seed | 'unauthorised' | 'shards', how many | 'reused' | 'unknown' | 'moved', generation, version, chain
-- What is left is '<seed> <time of the last write>': what is gone cannot say who removed it, and a list may go on
-- behind it. It is written first, and means nothing while the conversation is there.
local conversation, left = KEYS[2], KEYS[3]
local seed, fingerprint, record_s, expected, id, shards, is_keyed = unpack(ARGV, 2, 8)
if shards ~= owner.shards then return {'shards', owner.shards} end
local indexes, record = {unpack(KEYS, 4)}, nil
if is_keyed == '1' then record = table.remove(indexes) end
local kept = recall(record, fingerprint)
if kept and kept[1] == 'reused' then return kept end

local header = fields_of(conversation, {'v', 'h', 'g', 'b'})
if header.v then
  if has_moved(expected, header) then return {'moved', header.g, header.v, header.h} end
  local written = redis.call('ZSCORE', indexes[1], id) or (indexes[3] and redis.call('ZSCORE', indexes[3], id))
  redis.call('SET', left, seed .. ' ' .. (written or '0'), 'EX', ARGV[9])
  remember(record, fingerprint, record_s, {'ok', seed})
  -- Until its row is gone, whoever meets it asks for the conversation.
  redis.call('HSET', indexes[2], id, PENDING .. row('0', '0', '0', '0', '{}'))
end
redis.call('UNLINK', conversation)
if header.v then charge(id, tonumber(header.b), 0) end
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
