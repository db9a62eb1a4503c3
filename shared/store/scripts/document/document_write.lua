-- A document is about to be written in its object store: the key, and the right to say what comes of it.
-- @include keeping, once
-- KEYS: tenant, marks of its documents, lease, record (only with an Idempotency-Key)
-- ARGV: key hash, fingerprint, path, owner, lease_ms, now_ms, documents_max, due_at
-- Reply: 'ok', fence, '0' where no more marks are taken | 'unauthorised' | 'reused' | what the record holds
-- A new fence makes every load that has begun too late, and who has the lease has to take no notice of the loss: so
-- nothing that is on its way is kept, while those who come wait for what is written. The lease goes to the last writer;
-- which of two writes counts is for the object store to say, and the one whose fence is not the newest keeps nothing.
-- What is kept is from now on as old as *due_at*: shown only once the source was asked again, or while that is away. So
-- a write that nobody hears the end of shows when its lease has run out.
local kept = recall(KEYS[4], ARGV[2])
if kept then return kept end
local mark = redis.call('HGET', KEYS[2], ARGV[3]) or ''
if mark == '' and not has_room(KEYS[2], ARGV[7], ARGV[6]) then return {'ok', '0'} end
local checked_at, tag = string.match(mark, '^%d+ (%d+) (.*)$')
local fence = fence_after(mark, ARGV[6])
redis.call('SET', KEYS[3], ARGV[4], 'PX', ARGV[5])
local at = text(math.min(tonumber(checked_at or 0), tonumber(ARGV[8])))
local done = redis.pcall('HSET', KEYS[2], ARGV[3], fence .. ' ' .. at .. ' ' .. (tag or ''))
if type(done) == 'table' then
  redis.pcall('DEL', KEYS[3])
  return done
end
return {'ok', fence}
