-- Keep what the source answered, and give the lease back.
-- @keyless
-- KEYS: marks of the scope, lease, document
-- ARGV: path, owner, fence, mode ('value', 'same', 'absent', 'none'), checked_at, expiry_s, entity tag,
--       then with 'value' the fields of the document
-- Reply: 'ok' | 'late': a notice came, or another has the lease by now, and nothing was kept
if redis.call('GET', KEYS[2]) == ARGV[2] then redis.call('DEL', KEYS[2]) end
if ARGV[4] == 'none' then return {'ok'} end
local mark = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if string.match(mark, '^%d+') ~= ARGV[3] then return {'late'} end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3] .. ' ' .. ARGV[5] .. ' ' .. ARGV[7])
if ARGV[4] ~= 'same' then redis.call('DEL', KEYS[3]) end
if ARGV[4] == 'value' then redis.call('HSET', KEYS[3], unpack(ARGV, 8)) end
if ARGV[4] ~= 'absent' then redis.call('EXPIRE', KEYS[3], ARGV[6]) end
return {'ok'}
