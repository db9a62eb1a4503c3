-- How an operation that comes twice is done once, and how one that expects a version is held to it.
-- @part
--
-- Every attempt carries a seed, 48 random hexadecimal digits, from which its ids were made, and a fingerprint, the
-- SHA-256 of its request. A reply that did something starts with 'ok' and the seed of the attempt that did it: when
-- that is another one's, the caller is answered as the first one was.

-- The record of an Idempotency-Key is a key of its own: the fingerprint, then the reply, strings only, as JSON.
-- recall returns what to reply instead of doing anything, nil when the operation is new or has no key.
local function recall(record, fingerprint)
  local kept = record and redis.call('GET', record)
  if not kept then return nil end
  if string.sub(kept, 1, 64) ~= fingerprint then return {'reused'} end
  return cjson.decode(string.sub(kept, 65))
end

-- Keeps *reply* for `recall` and returns it.
local function remember(record, fingerprint, record_s, reply)
  if record then redis.call('SET', record, fingerprint .. cjson.encode(reply), 'EX', record_s) end
  return reply
end

-- Whether a conversation, as its *header* says, is at none of the versions that the caller expects: '' for no matter,
-- '*' for any, else ' 12.<chain hash> 15 ' with or without the hash of each.
local function has_moved(expected, header)
  if expected == '' or expected == '*' then return false end
  local version = ' ' .. header.v
  local full = version .. '.' .. (header.h ~= '' and header.h or '0') .. ' '
  return not (string.find(expected, version .. ' ', 1, true) or string.find(expected, full, 1, true))
end
