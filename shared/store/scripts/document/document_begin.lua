-- Take the lease of a document: the right to load it, and to store it under a new fence.
-- @keyless
-- @include text
-- KEYS: marks of the scope, lease
-- ARGV: path, mark that the taker saw ('' for none), owner, lease_ms, now_ms, documents_max
-- Reply: 'ok', fence | 'moved' | 'busy' | 'full'
-- A mark is '<fence> <checked_at> <etag>'; it exists from the first load on, so that a notice meets every load. The new
-- fence is what commits.
local ABSENT_S = 60
local mark = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if mark ~= ARGV[2] then return {'moved'} end
if mark == '' and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[6]) then
  -- Whoever asks for enough that does not exist would keep out all others of the scope until the next sweep.
  local some, gone = redis.call('HRANDFIELD', KEYS[1], 32, 'WITHVALUES'), {}
  for i = 1, #some, 2 do
    local checked_at = string.match(some[i + 1], '^%d+ (%d+) %-$')
    if checked_at and tonumber(ARGV[5]) > (tonumber(checked_at) + ABSENT_S) * 1000 then gone[#gone + 1] = some[i] end
  end
  if #gone == 0 then return {'full'} end
  redis.call('HDEL', KEYS[1], unpack(gone))
end
if not redis.call('SET', KEYS[2], ARGV[3], 'NX', 'PX', ARGV[4]) then return {'busy'} end
local old, rest = string.match(mark, '^(%d+)( .*)$')
local fence = text(math.max(tonumber(old or 0) + 1, tonumber(ARGV[5])))
local done = redis.pcall('HSET', KEYS[1], ARGV[1], fence .. (rest or ' 0 '))
if type(done) == 'table' then
  -- Nobody has the right: nobody needs to wait until the lease ends.
  redis.pcall('DEL', KEYS[2])
  return done
end
return {'ok', fence}
