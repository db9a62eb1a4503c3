-- Take the lease of a document: the right to load it, and to store it under a new fence.
-- @keyless
-- @include keeping
-- KEYS: marks of the scope, lease
-- ARGV: path, mark that the taker saw ('' for none), owner, lease_ms, now_ms, documents_max
-- Reply: 'ok', fence | 'moved' | 'busy' | 'full'
-- A mark is '<fence> <checked_at> <etag>'; it exists from the first load on, so that a notice meets every load. The new
-- fence is what commits.
local mark = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if mark ~= ARGV[2] then return {'moved'} end
if mark == '' and not has_room(KEYS[1], ARGV[6], ARGV[5]) then return {'full'} end
if not redis.call('SET', KEYS[2], ARGV[3], 'NX', 'PX', ARGV[4]) then return {'busy'} end
local fence = fence_after(mark, ARGV[5])
local done = redis.pcall('HSET', KEYS[1], ARGV[1], fence .. (string.match(mark, '^%d+( .*)$') or ' 0 '))
if type(done) == 'table' then
  -- Nobody has the right: nobody needs to wait until the lease ends.
  redis.pcall('DEL', KEYS[2])
  return done
end
return {'ok', fence}
