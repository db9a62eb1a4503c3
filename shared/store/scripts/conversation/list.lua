-- The tenant's conversations, newest activity first, those with the wanted metadata. One that has expired leaves
-- its place in the indexes behind, so each row says when it was last used and how long it lives after that.
-- @reads
-- @include index, text
-- KEYS: tenant, activity index, metadata index
-- ARGV: key hash, id to start after ('' for none), limit, now_s, scan_max, then pairs: metadata key, value
-- Reply: 'ok', '1' if there may be more, id to go on after, {id, created_at, metadata, …} | 'unauthorised' | 'after'
local after, limit, now_s, scan_max = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local filtered = #ARGV > 5
local start = 0
if after ~= '' then
  local rank = redis.call('ZREVRANK', KEYS[2], after)
  if not rank then return {'after'} end
  start = rank + 1
end
local count = filtered and scan_max or limit + 1
local scored = redis.call('ZREVRANGE', KEYS[2], text(start), text(start + count - 1), 'WITHSCORES')
if #scored == 0 then return {'ok', '0', '', {}} end
local ids = {}
for i = 1, #scored, 2 do ids[#ids + 1] = scored[i] end
local rows = redis.call('HMGET', KEYS[3], unpack(ids))

local function is_wanted(written_us, expiry, used, metadata)
  if has_expired(written_us, expiry, used, now_s) then return false end
  if not filtered then return true end
  local values = cjson.decode(metadata)
  for i = 6, #ARGV, 2 do
    if values[ARGV[i]] ~= ARGV[i + 1] then return false end
  end
  return true
end

local found, last = {}, ''
for i, id in ipairs(ids) do
  if #found == 3 * limit then return {'ok', '1', last, found} end
  if rows[i] then
    local created, expiry, used, metadata = string.match(rows[i], '^(%d+) (%d+) (%d+) (.*)$')
    if is_wanted(scored[2 * i], expiry, used, metadata) then
      found[#found + 1] = id
      found[#found + 1] = created
      found[#found + 1] = metadata
    end
  end
  last = id
end
return {'ok', #ids == count and '1' or '0', last, found}
