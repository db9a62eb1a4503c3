-- Create a conversation, or append a batch of items to one, atomically.
-- KEYS: tenant, conversation, activity index, metadata index
-- ARGV: key hash, mode ('create' or 'append'), now_us, batch id, conversation id,
--       entries_max, bytes_max, pinned_tokens_max,
--       generation, expiry_s, created_at, metadata (these four only matter to 'create'),
--       then per item: id, '1' if the caller chose it, kind, tokens, '<facts>\n<body>'
-- Reply: 'ok', version, created_at, metadata | 'unauthorised' | 'unknown' | 'taken', index | 'entries' | 'bytes' | 'pinned', sum
if not is_authorised() then return {'unauthorised'} end
local conversation = KEYS[2]
local mode, now_us, batch, id = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local entries_max, bytes_max, pinned_max = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local FIRST, WIDTH = 13, 5
local count = (#ARGV - FIRST + 1) / WIDTH

local wanted = {'v', 'h', 'n', 'w', 'b', 'p', 'pin', 'u', 'e', 'c', 'm'}
local HEADER = #wanted
local given = {}
for i = 1, count do
  local at = FIRST + (i - 1) * WIDTH
  if ARGV[at + 1] == '1' then
    wanted[#wanted + 1] = 'i:' .. ARGV[at]
    given[#given + 1] = i
  end
end
local header = redis.call('HMGET', conversation, unpack(wanted))
if mode == 'create' then
  if header[1] then return {'taken', '-1'} end
elseif not header[1] then
  return {'unknown'}
end
for i, index in ipairs(given) do
  if header[HEADER + i] then return {'taken', text(index - 1)} end
end

local version = tonumber(header[1] or 0)
local chain = header[2] or ''
local live = tonumber(header[3] or 0)
local running = tonumber(header[4] or 0)
local bytes = tonumber(header[5] or 0)
local pinned = tonumber(header[6] or 0)
local pins = header[7] or ''
local user = header[8] or '0'
local expiry = header[9] or ARGV[10]
local created = header[10] or ARGV[11]
local metadata = header[11] or ARGV[12]

if version + count > entries_max then return {'entries'} end
local fields = {}
local function set(name, value)
  fields[#fields + 1] = name
  fields[#fields + 1] = value
end
for i = 1, count do
  local at = FIRST + (i - 1) * WIDTH
  local kind, tokens = ARGV[at + 2], tonumber(ARGV[at + 3])
  version = version + 1
  local seq = text(version)
  chain = string.sub(redis.sha1hex(chain .. batch .. seq), 1, 16)
  local entry = chain .. ' ' .. text(running) .. ' ' .. kind .. ' ' .. ARGV[at + 4]
  set(seq, entry)
  set('i:' .. ARGV[at], seq)
  running = running + tokens
  bytes = bytes + #entry
  live = live + 1
  if kind == 'u' then user = seq end
  if kind == 's' then
    pinned = pinned + tokens
    pins = pins == '' and seq or pins .. ',' .. seq
  end
end
if bytes > bytes_max then return {'bytes'} end
if pinned > pinned_max then return {'pinned', text(pinned)} end

if mode == 'create' then
  set('g', ARGV[9])
  set('e', expiry)
  set('c', created)
  set('m', metadata)
end
set('v', text(version))
set('h', chain)
set('n', text(live))
set('w', text(running))
set('b', text(bytes))
set('p', text(pinned))
set('pin', pins)
set('u', user)
set('t', string.sub(now_us, 1, -7))
redis.call('HSET', conversation, unpack(fields))
if expiry ~= '0' then redis.call('EXPIRE', conversation, expiry) end
redis.call('ZADD', KEYS[3], now_us, id)
if mode == 'create' then
  redis.call('HSET', KEYS[4], id, row(created, expiry, string.sub(now_us, 1, -7), metadata))
end
return {'ok', text(version), created, metadata}
