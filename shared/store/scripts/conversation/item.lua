-- One item; of a small conversation all, for this item and the next.
-- @reads
-- @include reading
-- KEYS: as read.lua
-- ARGV: key hash, reply_bytes_max, generation, version and chain hash of what the reader holds if the item is, or would
--       be, part of it,
--       size up to which a conversation comes whole, item id
-- Reply: as read.lua with 'news' or 'all' | 'ok', the same header, 'item', entry
--        | 'unauthorised' | 'unknown' | 'unknown_item', id
local log = open_log(KEYS, ARGV, {'i:' .. ARGV[7]})
if not log then return {'unknown'} end
local reply = news_or_all(log, KEYS, ARGV, tonumber(ARGV[6]), true)
if reply then return reply end
local place = log.header['i:' .. ARGV[7]]
local entry = place and redis.call('HGET', log.name, place)
if not entry or not is_item(entry) then return {'unknown_item', ARGV[7]} end
return {'ok', shown(log), 'item', '0', {entry}}
