-- What a conversation is; of a small one all, of a larger one a tail without items, so that the reader can hold it.
-- @reads
-- @include reading
-- KEYS: as read.lua
-- ARGV: key hash, reply_bytes_max, generation, version and chain hash that the reader holds,
--       size up to which a conversation comes whole
-- Reply: as read.lua with 'news', 'all' or 'tail' | 'unauthorised' | 'unknown'
local log = open_log(KEYS, ARGV, {})
if not log then return {'unknown'} end
local reply = news_or_all(log, KEYS, ARGV, tonumber(ARGV[6]), true)
if reply then return reply end
return reply_of(log, KEYS, 'tail', log.newest + 1, {}, pinned_before(log, log.newest + 1), {})
