-- The conversation's header and its entries from a version on, as many as fit one reply.
-- KEYS: tenant, conversation
-- ARGV: key hash, first seq, reply_bytes_max, encoding whose kept counts are wanted ('' for the primary one)
-- Reply: 'ok', {g, v, h, n, e, t, c, m}, next seq (v + 1 when all was read), entries, kept counts by block
--        | 'unauthorised' | 'unknown'
if not is_authorised() then return {'unauthorised'} end
local header = redis.call('HMGET', KEYS[2], 'g', 'v', 'h', 'n', 'e', 't', 'c', 'm', 'b')
if not header[1] then return {'unknown'} end
local version, first, bytes_max = tonumber(header[2]), tonumber(ARGV[2]), tonumber(ARGV[3])
local entries, size, following = {}, 0, version + 1
local chunk = chunk_for(tonumber(header[9]), version, version)
walk(KEYS[2], first, version, 1, chunk, function(seq, entry)
  size = size + #entry
  if size > bytes_max and #entries > 0 then
    following = seq
    return true
  end
  entries[#entries + 1] = entry
end)
local kept = {}
if ARGV[4] ~= '' and first <= version then
  local blocks = {}
  for block = math.floor(first / 512), math.floor(version / 512) do
    blocks[#blocks + 1] = 'q:' .. ARGV[4] .. ':' .. text(block)
  end
  kept = redis.call('HMGET', KEYS[2], unpack(blocks))
end
header[9] = nil
return {'ok', header, text(following), entries, kept}
