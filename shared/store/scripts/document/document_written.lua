-- What came of a write is known: from now on every instance shows it, or asks the source.
-- @keyless
-- @include keeping, once
-- KEYS: marks of the scope, lease, document, record (only with an Idempotency-Key)
-- ARGV: path, owner, fence, mode ('value', 'absent', 'none': nothing was changed), checked_at, expiry_s, entity tag,
--       now_ms, fingerprint, record_s, then with 'value' the fields of the document
-- Reply: 'ok' | 'late': somebody else wrote or reported a change meanwhile: nothing is kept, and what was is outdated
-- The mark is what commits, as in document_store.lua. The record comes after it: what it says was done is seen by all.
local is_late = false
if ARGV[4] ~= 'none' then
  local mark = redis.call('HGET', KEYS[1], ARGV[1])
  is_late = not mark or string.match(mark, '^%d+') ~= ARGV[3]
  if not is_late then
    keep(KEYS[3], {unpack(ARGV, 11)}, ARGV[6])
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[3] .. ' ' .. ARGV[5] .. ' ' .. ARGV[7])
  elseif mark then
    redis.call('HSET', KEYS[1], ARGV[1], outdated(mark, ARGV[8]))
  end
  remember(KEYS[4], ARGV[9], ARGV[10], {'done', ARGV[7]})
end
give_back(KEYS[2], ARGV[2])
return {is_late and 'late' or 'ok'}
