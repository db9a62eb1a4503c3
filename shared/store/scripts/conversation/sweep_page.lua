-- Some conversations of one shard by their last write, oldest first: which of them a sweep has to look at.
-- @keyless
-- @reads
-- @include index, text
-- KEYS: activity index, rows
-- ARGV: written behind and up to, in microseconds; how many; since when what was written may be sparse; now_s
-- Reply: 'ok', behind what to go on ('': that was all), how many there were, what the others take by their rows,
--        what the rows themselves take, {ids that have expired, may be sparse, or have no true row}
local after, through, limit, since, now_s = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local scored = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. after, through, 'WITHSCORES', 'LIMIT', 0, limit)
if #scored == 0 then return {'ok', '', '0', '0', '0', {}} end
local last = ''
if #scored == 2 * limit then
  -- The next page begins behind an instant: of the last one in this page, all have to be in it.
  last = text(tonumber(scored[#scored]))
  while #scored > 0 and text(tonumber(scored[#scored])) == last do
    table.remove(scored)
    table.remove(scored)
  end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], last, last, 'LIMIT', 0, 4000)) do
    scored[#scored + 1] = id
    scored[#scored + 1] = last
  end
end
local ids = {}
for i = 1, #scored, 2 do ids[#ids + 1] = scored[i] end
local rows, found, bytes, rows_bytes = redis.call('HMGET', KEYS[2], unpack(ids)), {}, 0, 0
for i, id in ipairs(ids) do
  local written, line = scored[2 * i], rows[i] or ''
  local mark, _, expiry, used, each_bytes = read_row(line)
  rows_bytes = rows_bytes + #line + 2 * #id
  if mark ~= '' or tonumber(written) > since or has_expired(written, expiry, used, now_s) then
    found[#found + 1] = id
  else
    bytes = bytes + tonumber(each_bytes)
  end
end
return {'ok', last, text(#ids), text(bytes), text(rows_bytes), found}
