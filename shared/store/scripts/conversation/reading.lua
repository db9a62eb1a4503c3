-- Read news, with the KEYS and ARGV of read.lua.
-- @part
-- @include entries, text
local function read(KEYS, ARGV)
  local conversation = KEYS[2]
  local header = redis.call('HMGET', conversation, 'g', 'v', 'h', 'n', 'e', 't', 'c', 'm', 'w', 'd', 'o', 'pin', 'y',
    'b', 'docs')
  if not header[1] then return {'unknown'} end
  local removed, written, bytes = tonumber(header[11] or 0), tonumber(header[9]), tonumber(header[14])
  local newest = tonumber(header[2]) - removed
  local bytes_max, mode, tokens_min = tonumber(ARGV[2]), ARGV[6], tonumber(ARGV[7])
  local entries, size, first = {}, 0, 1

  local function take(_, entry)
    size = size + #entry
    if size > bytes_max and #entries > 0 then return true end
    entries[#entries + 1] = entry
  end

  local function read_news()
    local held = tonumber(ARGV[4]) - removed
    if ARGV[3] ~= header[1] or held > newest or held < 1 then return false end
    first = held + 1
    if held == newest then return ARGV[5] == header[3] end
    local belongs = false
    walk(conversation, held, newest, 1, chunk_for(bytes, newest, newest - held + 1), function(seq, entry)
      if seq > held then return take(seq, entry) end
      belongs = string.sub(entry, 1, #ARGV[5] + 1) == ARGV[5] .. ' '
      return not belongs
    end)
    return belongs
  end

  local function read_tail(last)
    local average = math.max(1, written / newest)
    local wanted = math.ceil(tokens_min / average * 1.25) + 16
    local backwards, sum = {}, 0
    walk(conversation, last, 1, -1, chunk_for(bytes, newest, wanted), function(seq, entry)
      size = size + #entry
      if size > bytes_max and #backwards > 0 then return true end
      backwards[#backwards + 1] = entry
      first = seq
      local kind = kind_of(entry)
      if kind ~= 's' and is_item(entry) then sum = sum + tokens_of(entry) end
      return sum >= tokens_min and kind == 'u'
    end)
    for i = #backwards, 1, -1 do entries[#entries + 1] = backwards[i] end
  end

  local function read_pins()
    local fields, pins = {}, {}
    for seq in string.gmatch(header[12] .. ',' .. (header[13] or ''), '%d+') do
      if tonumber(seq) < first then fields[#fields + 1] = seq end
    end
    for start = 1, #fields, 4000 do
      local found = redis.call('HMGET', conversation, unpack(fields, start, math.min(start + 3999, #fields)))
      for i, entry in ipairs(found) do
        pins[#pins + 1] = fields[start + i - 1]
        pins[#pins + 1] = entry
      end
    end
    return pins
  end

  local kind, pins = 'news', {}
  if ARGV[10] ~= '' then
    kind = 'older'
    read_tail(tonumber(ARGV[10]) - 1)
    pins = read_pins()
  elseif ARGV[3] == '' or not read_news() then
    entries, size, first, kind = {}, 0, 1, mode
    if newest > 0 and mode == 'tail' then
      read_tail(newest)
      pins = read_pins()
    elseif newest > 0 then
      walk(conversation, 1, newest, 1, chunk_for(bytes, newest, newest), take)
    end
  end
  local kept = {}
  if ARGV[8] ~= '' and newest > 0 then
    local block_entries, blocks = tonumber(ARGV[9]), {}
    for block = math.floor(first / block_entries), math.floor(newest / block_entries) do
      blocks[#blocks + 1] = 'q:' .. ARGV[8] .. ':' .. text(block)
    end
    kept = redis.call('HMGET', conversation, unpack(blocks))
  end
  local documents = {}
  local function add_marks(key, paths, names)
    if #paths == 0 then return end
    for i, mark in ipairs(redis.call('HMGET', key, unpack(paths))) do
      documents[#documents + 1] = names[i]
      documents[#documents + 1] = mark or ''
    end
  end
  if header[15] then
    local own, shared, shared_names = {}, {}, {}
    for path in string.gmatch(header[15], '[^\n]+') do
      local within = string.match(path, '^shared/(.+)$')
      if within then
        shared[#shared + 1] = within
        shared_names[#shared_names + 1] = path
      else
        own[#own + 1] = path
      end
    end
    add_marks(KEYS[3], own, own)
    add_marks(KEYS[4], shared, shared_names)
  end
  header[15], header[14] = nil, nil
  for i = 9, 13 do header[i] = header[i] or '' end
  return {'ok', header, kind, text(first), entries, pins, kept, documents}
end
