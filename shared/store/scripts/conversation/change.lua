-- How an operation that writes to a conversation knows what it was asked before, and how it ends.
-- @part
-- @include once, text

-- What every such operation has in ARGV behind the hash of the key.
local seed, fingerprint, record_s, expected, now_us, conversation_id = unpack(ARGV, 2, 7)
local now_s = string.sub(now_us, 1, -7)

-- What a batch is called.
local batch = string.sub(seed, 1, 16)

-- Field r of a conversation: '<batch> <version after it>;' of its last batches. The store's own client sends a batch
-- again when its answer was lost.
local BATCHES_MAX = 32

local function version_after(recent)
  return recent and string.match(recent, batch .. ' (%d+);')
end

local function with_batch(recent, version)
  local batches, at = (recent or '') .. batch .. ' ' .. version .. ';', 0
  -- Looked for one by one: a pattern that counts them tries every character.
  for _ = 1, BATCHES_MAX do
    at = string.find(batches, ';', at + 1, true)
    if at == #batches then return batches end
  end
  return string.sub(batches, string.find(batches, ';', 1, true) + 1)
end

-- The chain hash of the entry at *place*: of all that precedes it, of its batch and of its place.
local function linked(chain, place)
  return string.sub(redis.sha1hex(chain .. batch .. place), 1, 16)
end

-- The end of an operation that changes a conversation: its last HSET there, then its expiry and places in the indexes.
-- change: the names *conversation*, *activity* index, *record* (nil without an Idempotency-Key); what has become of
-- *generation*, *version* and *bytes* (numbers), *chain*, *expiry*; *recent*: field r as it was, nil: none is kept;
-- *row* and *metadata* index, nil where the row stays. fields: what else to set, name, value, …
-- Reply: 'ok', seed, generation, version, and what the operation adds; `recall` finds it.
local function commit(change, fields, ...)
  local conversation, version = change.conversation, text(change.version)
  if change.recent ~= nil then
    fields[#fields + 1] = 'r'
    fields[#fields + 1] = with_batch(change.recent, version)
  end
  redis.call('HSET', conversation, 'v', version, 'h', change.chain, 'b', text(change.bytes), 't', now_s, unpack(fields))
  if change.expiry ~= '0' then redis.call('EXPIRE', conversation, change.expiry) end
  redis.call('ZADD', change.activity, now_us, conversation_id)
  if change.row then redis.call('HSET', change.metadata, conversation_id, change.row) end
  return remember(change.record, fingerprint, record_s, {'ok', seed, change.generation, version, ...})
end
