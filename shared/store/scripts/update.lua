-- Replace a conversation's metadata.
-- KEYS: tenant, conversation, activity index, metadata index
-- ARGV: key hash, now_us, batch id, conversation id, metadata, entries_max, bytes_max
-- Reply: 'ok', created_at, metadata | 'unauthorised' | 'unknown' | 'entries' | 'bytes'
if not is_authorised() then return {'unauthorised'} end
local conversation, metadata = KEYS[2], ARGV[5]
local header = redis.call('HMGET', conversation, 'v', 'h', 'w', 'b', 'e', 'c')
if not header[1] then return {'unknown'} end
local version = tonumber(header[1]) + 1
if version > tonumber(ARGV[6]) then return {'entries'} end
local seq = text(version)
local chain = string.sub(redis.sha1hex(header[2] .. ARGV[3] .. seq), 1, 16)
local news = chain .. ' ' .. header[3] .. ' m []\n' .. metadata
local bytes = tonumber(header[4]) + #news
if bytes > tonumber(ARGV[7]) then return {'bytes'} end
redis.call('HSET', conversation, seq, news, 'v', seq, 'h', chain, 'm', metadata,
  'b', text(bytes), 't', string.sub(ARGV[2], 1, -7))
if header[5] ~= '0' then redis.call('EXPIRE', conversation, header[5]) end
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[4])
redis.call('HSET', KEYS[4], ARGV[4], row(header[6], header[5], string.sub(ARGV[2], 1, -7), metadata))
return {'ok', header[6], metadata}
