-- Append or create, with the KEYS and ARGV of append.lua.
-- @part
-- @include batches, fields, index, once, text
local function append(KEYS, ARGV)
  local conversation, record = KEYS[2], KEYS[5]
  local seed, fingerprint, record_s, expected, now_us, id = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
  local mode, is_retry = ARGV[8], ARGV[9] == '1'
  local entries_max, bytes_max, pinned_max = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])
  local FIRST, WIDTH = 19, 5
  local RETRY_S = 120
  local count = (#ARGV - FIRST + 1) / WIDTH
  local now_s = string.sub(now_us, 1, -7)
  local done = recall(record, fingerprint)
  if done then return done end

  local wanted = {'v', 'h', 'n', 'w', 'b', 'p', 'pin', 'o', 'e', 'c', 'g', 'r', 'last', 'docs'}
  for at = FIRST, #ARGV, WIDTH do
    if ARGV[at + 1] == '1' then wanted[#wanted + 1] = 'i:' .. ARGV[at] end
  end
  local header = fields_of(conversation, wanted)
  local generation, recent, created = header.g or ARGV[13], header.r, header.c or ARGV[15]
  local known = version_after(recent, seed)
  if known then return {'ok', seed, generation, known, created} end
  if mode == 'create' then
    if header.v then return {'taken', '-1'} end
  elseif not header.v then
    return {'unknown'}
  end
  if is_retry and header.last then
    -- The instances' clocks decide: the store's would cost a command with every append, and they differ by less than
    -- it matters here. A batch that anything came after is stored again, because it may have been meant anew.
    local seed_then, version_then, at = string.match(header.last, '^' .. fingerprint .. ' (%x+) (%d+) (%d+)$')
    if version_then == header.v and now_s - at <= RETRY_S then
      return {'ok', seed_then, generation, version_then, created}
    end
  end
  if mode == 'append' and has_moved(expected, header.v) then return {'moved', generation, header.v} end
  for at = FIRST, #ARGV, WIDTH do
    if header['i:' .. ARGV[at]] then return {'taken', text((at - FIRST) / WIDTH)} end
  end

  -- Each path stands on a line of its own, with a newline before and behind it.
  local documents, document_count = header.docs or '\n', 0
  for path in string.gmatch(ARGV[18], '\n([^\n]+)') do
    if not string.find(documents, '\n' .. path .. '\n', 1, true) then documents = documents .. path .. '\n' end
  end
  if documents ~= (header.docs or '\n') then
    document_count = select(2, string.gsub(documents, '\n', '')) - 1
    if document_count > tonumber(ARGV[17]) then return {'documents', text(document_count)} end
  end

  local version = tonumber(header.v or 0)
  local chain = header.h or ''
  local live = tonumber(header.n or 0)
  local running = tonumber(header.w or 0)
  local bytes = tonumber(header.b or 0)
  local pinned = tonumber(header.p or 0)
  local pins = header.pin or ''
  local removed = tonumber(header.o or 0)
  local expiry = header.e or ARGV[14]
  local batch = batch_of(seed)

  if version - removed + count > entries_max then return {'entries'} end
  local fields = {}
  local function set(name, value)
    fields[#fields + 1] = name
    fields[#fields + 1] = value
  end
  for i = 1, count do
    local at = FIRST + (i - 1) * WIDTH
    local kind, tokens = ARGV[at + 2], tonumber(ARGV[at + 3])
    version = version + 1
    local seq = text(version - removed)
    chain = string.sub(redis.sha1hex(chain .. batch .. seq), 1, 16)
    local entry = chain .. ' ' .. text(running) .. ' ' .. kind .. ' ' .. ARGV[at + 4]
    set(seq, entry)
    set('i:' .. ARGV[at], seq)
    running = running + tokens
    bytes = bytes + #entry
    live = live + 1
    if kind == 's' then
      pinned = pinned + tokens
      pins = pins == '' and seq or pins .. ',' .. seq
    end
  end
  if bytes > bytes_max then return {'bytes'} end
  if pinned > pinned_max then return {'pinned', text(pinned)} end

  if mode == 'create' then
    set('g', generation)
    set('e', expiry)
    set('c', created)
    set('m', ARGV[16])
  end
  set('v', text(version))
  set('h', chain)
  set('n', text(live))
  set('w', text(running))
  set('b', text(bytes))
  set('p', text(pinned))
  set('pin', pins)
  set('t', now_s)
  set('r', with_batch(recent, seed, text(version)))
  if document_count > 0 then set('docs', documents) end
  set('last', fingerprint .. ' ' .. seed .. ' ' .. text(version) .. ' ' .. now_s)
  redis.call('HSET', conversation, unpack(fields))
  if expiry ~= '0' then redis.call('EXPIRE', conversation, expiry) end
  redis.call('ZADD', KEYS[3], now_us, id)
  if mode == 'create' then
    redis.call('HSET', KEYS[4], id, row(created, expiry, now_s, ARGV[16]))
  end
  return remember(record, fingerprint, record_s, {'ok', seed, generation, text(version), created})
end
