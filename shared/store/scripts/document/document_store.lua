-- Keep what the source answered, and give the lease back.
-- @keyless
-- @include keeping
-- KEYS: marks of the scope, lease, document
-- ARGV: path, owner, fence, mode ('value', 'same', 'absent', 'none'), checked_at, expiry_s, entity tag,
--       then with 'value' the fields of the document
-- Reply: 'ok' | 'late': a notice or a write came, or another has the lease by now, and nothing was kept
-- The mark is what commits: a document whose tag is another than that of its mark is not there.
local mark = ARGV[4] ~= 'none' and redis.call('HGET', KEYS[1], ARGV[1]) or ''
local is_late = ARGV[4] ~= 'none' and string.match(mark, '^%d+') ~= ARGV[3]
if ARGV[4] ~= 'none' and not is_late then
  if ARGV[4] == 'same' then
    redis.call('EXPIRE', KEYS[3], ARGV[6])
  else
    keep(KEYS[3], {unpack(ARGV, 8)}, ARGV[6])
  end
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3] .. ' ' .. ARGV[5] .. ' ' .. ARGV[7])
end
give_back(KEYS[2], ARGV[2])
return {is_late and 'late' or 'ok'}
