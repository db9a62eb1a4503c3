-- Blank an item's content at once and write down that it is gone.
-- KEYS: tenant, conversation, activity index
-- ARGV: key hash, now_us, batch id, conversation id, item id
-- Reply: 'ok', created_at, metadata | 'unauthorised' | 'unknown' | 'unknown_item'
-- The limit on entries does not hold here: an item can be deleted once, so deletions are bounded by it already.
if not is_authorised() then return {'unauthorised'} end
local conversation = KEYS[2]
local header = redis.call('HMGET', conversation, 'v', 'h', 'n', 'w', 'b', 'p', 'pin', 'e', 'c', 'm', 'i:' .. ARGV[5])
if not header[1] then return {'unknown'} end
local target = header[11]
local entry = target and redis.call('HGET', conversation, target)
if not entry or not is_item(entry) then return {'unknown_item'} end
local version = tonumber(header[1]) + 1
local seq = text(version)
local chain = string.sub(redis.sha1hex(header[2] .. ARGV[3] .. seq), 1, 16)
local blank = string.match(entry, '^%x+ %d+ ') .. 'x []\n'
local news = chain .. ' ' .. header[4] .. ' - [' .. target .. ']\n'
local pinned, pins = tonumber(header[6]), header[7]
if kind_of(entry) == 's' then
  -- The facts of an item start with its two counts: overhead and content.
  local overhead, content = string.match(entry, '^%x+ %d+ s %[(%d+),(%d+)')
  pinned = pinned - tonumber(overhead) - tonumber(content)
  local left = {}
  for pin in string.gmatch(pins, '%d+') do
    if pin ~= target then left[#left + 1] = pin end
  end
  pins = table.concat(left, ',')
end
redis.call('HSET', conversation, target, blank, seq, news, 'v', seq, 'h', chain,
  'n', text(tonumber(header[3]) - 1), 'b', text(tonumber(header[5]) - #entry + #blank + #news),
  'p', text(pinned), 'pin', pins, 't', string.sub(ARGV[2], 1, -7))
if header[8] ~= '0' then redis.call('EXPIRE', conversation, header[8]) end
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[4])
return {'ok', header[9], header[10]}
