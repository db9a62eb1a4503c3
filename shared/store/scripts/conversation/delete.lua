-- Remove a conversation, its items and its place in the indexes.
-- @include fields, once
-- KEYS: tenant, conversation, activity index, metadata index, record
-- ARGV: key hash, seed, fingerprint, record_s, expected versions, conversation id, '1' with an Idempotency-Key
-- Reply: 'ok', seed | 'unauthorised' | 'reused' | 'unknown' | 'moved', generation, version
-- What is gone cannot say who removed it, so there is a record without an Idempotency-Key too, for as long as the
-- store's client may send this again; it is looked at only when there is nothing left to remove.
local conversation, record = KEYS[2], KEYS[5]
local seed, fingerprint, record_s, expected, id, is_keyed = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7] == '1'
local done = is_keyed and recall(record, fingerprint)
if done then return done end
if expected ~= '' then
  local header = fields_of(conversation, {'v', 'g'})
  if header.v and has_moved(expected, header.v) then return {'moved', header.g, header.v} end
end

local removed = redis.call('UNLINK', conversation)
redis.call('ZREM', KEYS[3], id)
redis.call('HDEL', KEYS[4], id)
if removed == 0 then return not is_keyed and recall(record, fingerprint) or {'unknown'} end
return remember(record, fingerprint, record_s, {'ok', seed})
