-- Append or create, with the KEYS and ARGV of append.lua.
-- @part
-- @include change, fields, terms, text

-- Where the items begin in ARGV, and how many arguments each has.
local FIRST, WIDTH = 24, 6

-- For so long a batch that an OpenAI client sends again counts as the one that is the newest.
local RETRY_S = 120

-- How long ago the newest append was, in seconds; it wrote *at* as its time. Where its expiry began with it, and with
-- no reader since, the store knows: what is left of it tells, whatever the instances' clocks say. Else they decide.
local function age_s(conversation, header, at)
  local left_ms = header.t == at and redis.call('PTTL', conversation) or -1
  return left_ms >= 0 and header.e - left_ms / 1000 or now_s - at
end

-- The paths of *known* and *more*, and how many they are; nil when *more* has none that is new. Each path stands on a
-- line of its own, with a newline before and behind it.
local function with_documents(known, more)
  local paths = known or '\n'
  for path in string.gmatch(more, '\n([^\n]+)') do
    if not string.find(paths, '\n' .. path .. '\n', 1, true) then paths = paths .. path .. '\n' end
  end
  if paths == (known or '\n') then return nil, 0 end
  return paths, select(2, string.gsub(paths, '\n', '')) - 1
end

-- The newest user message asks by so many of its terms, the most telling ones.
local ASKED_MAX = 24

-- What is kept of a message of the user at *place* that says *terms*, to which *index* may be asked.
local function question(index, place, terms)
  local codes = {}
  for at = 1, math.min(#terms, ASKED_MAX * TERM), TERM do codes[#codes + 1] = string.sub(terms, at, at + TERM - 2) end
  return question_line(place, index.first, index.items, index.terms, index.from, table.concat(codes))
end

-- Adds the items of ARGV to *fields*, and returns what the conversation's sums, as they are in *header*, become. An
-- item whose terms are '-' is not looked for.
local function add_items(fields, ARGV, header, generation)
  local place = tonumber(header.v or 0) - tonumber(header.o or 0)
  local chain, tokens, bytes = header.h or '', tonumber(header.w or 0), tonumber(header.b or 0)
  local pinned, pins, results = tonumber(header.p or 0), header.pin or '', 0
  local index, asked, days = nil, header.tq, nil
  local function set(name, value)
    local size = #fields
    fields[size + 1], fields[size + 2] = name, value
  end
  for at = FIRST, #ARGV, WIDTH do
    local kind, item_tokens, terms = ARGV[at + 2], tonumber(ARGV[at + 3]), ARGV[at + 5]
    place = place + 1
    local name = text(place)
    chain = linked(chain, name)
    local entry = chain .. ' ' .. text(tokens) .. ' ' .. kind .. ' ' .. ARGV[at + 4]
    set(name, entry)
    set('i:' .. ARGV[at], name)
    tokens = tokens + item_tokens
    bytes = bytes + #entry
    if kind == 's' then
      pinned = pinned + item_tokens
      pins = pins == '' and name or pins .. ',' .. name
    elseif kind == 'o' then
      results = results + 1
    end
    if terms ~= '-' then
      if not index then
        index = growing_index(header, generation, place)
        bytes = bytes - (index.left_bytes or 0)
        days = with_day(not index.left_bytes and header.td or '', place, tonumber(now_s))
      end
      if kind == 'u' then asked = question(index, place, terms) end
      if terms ~= '' then bytes = bytes + add_terms(index, fields, place, ARGV[at], terms) end
    end
  end
  if days then
    set('td', days)
    bytes = bytes + #days - #(header.td or '')
  end
  if asked ~= header.tq then
    set('tq', asked)
    bytes = bytes + #asked - #(header.tq or '')
  end
  if index then
    index.written = text(tokens)
    set('ti', written_index(index, generation))
    set('to', index.block)
  end
  return chain, tokens, bytes, pinned, pins, results
end

-- *before*, if there is one, is called when nothing speaks against appending any more, before the first write; what it
-- returns is replied instead. *after*, if there is one, is called when the batch is there: with the reply, with the
-- conversation's header as it was found, *beside* in it, and, if nobody had appended the batch before, with the fields
-- that were set (name, value, …); what it returns is replied.
local function append(KEYS, ARGV, before, after, beside)
  local conversation, is_creation, is_retry = KEYS[2], ARGV[9] ~= 'append', ARGV[10] == '1'
  local owned = {us = ARGV[19], ag = ARGV[20], c = ARGV[17], cu = string.sub(now_us, -6)}
  local left, joins, record_at = is_creation and KEYS[5], {}, 5
  if is_creation then joins, record_at = sets_of(KEYS, 6, owned.us, owned.ag) end
  local record = KEYS[record_at]
  local entries_max, bytes_max, pinned_max = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
  local count = (#ARGV - FIRST + 1) / WIDTH
  local wanted = {'v', 'h', 'n', 'w', 'b', 'p', 'pin', 'o', 'e', 'c', 'g', 'last', 'docs', 'r', 's',
    'ti', 'to', 'tq', 'td', unpack(beside or {})}
  if is_creation then and_told(wanted) end
  local kept, refused = look_back(record, wanted)
  if refused then return refused end
  if is_retry then wanted[#wanted + 1] = 't' end
  -- The conversation of another attempt has another name: only its own attempt can tell what became of it.
  if kept and is_creation and kept[2] ~= seed then return {'again', kept[2]} end

  for at = FIRST, #ARGV, WIDTH do
    if ARGV[at + 1] == '1' then wanted[#wanted + 1] = 'i:' .. ARGV[at] end
  end
  local header = fields_of(conversation, wanted)
  local fenced = refusal_of_erasing(header.us, owned.us)
  if fenced then return fenced end
  local created = header.v and header.c or ARGV[17]
  -- What is not there was not made, or is there no more.
  local was_left = is_creation and (kept or ARGV[9] == 'create_as') and redis.call('EXISTS', left) == 1
  local was_made = not is_creation or header.v or (kept and was_left)
  local told = is_creation and header.v and told_of(header) or nil
  local done = was_made and replayed(kept, header, created, done_at(header), told)
  if done then return after and after(done, header) or done end
  if not is_creation and not header.v then return {'unknown'} end
  if is_retry and header.last then
    -- A batch that anything came after is stored again, because it may have been meant anew.
    local seed_then, version_then, at = string.match(header.last, '^' .. fingerprint .. ' (%x+) (%d+) (%d+)$')
    if version_then == header.v and age_s(conversation, header, at) <= RETRY_S then
      done = {'ok', seed_then, header.g, version_then, header.h, created, at, told}
      return after and after(done, header) or done
    end
  end
  if is_creation then
    -- What was deleted keeps its id for as long as something is left of it.
    if header.v or was_left then return {'exists'} end
    header = {}
  end
  local generation, expiry = header.g or ARGV[15], header.e or ARGV[16]
  if not is_creation and has_moved(expected, header) then return moved(header) end
  for at = FIRST, #ARGV, WIDTH do
    if header['i:' .. ARGV[at]] then return {'taken', text((at - FIRST) / WIDTH)} end
  end
  local documents, documents_count = with_documents(header.docs, ARGV[22])
  if documents_count > tonumber(ARGV[21]) then return {'documents', text(documents_count)} end
  local version = tonumber(header.v or 0) + count
  if version - tonumber(header.o or 0) > entries_max then return {'entries'} end
  local fields = {}
  local chain, tokens, bytes, pinned, pins, results = add_items(fields, ARGV, header, generation)
  local bytes_before = tonumber(header.b or 0)
  if is_creation then bytes = bytes + #ARGV[18] end
  if bytes > bytes_max then return {'bytes'} end
  if pinned > pinned_max then return {'pinned', text(pinned)} end
  local refusal = refusal_of_room(bytes - bytes_before, ARGV[14]) or (before and before())
  if refusal then return refusal end

  local function set(name, value)
    fields[#fields + 1] = name
    fields[#fields + 1] = value
  end
  set('n', text(tonumber(header.n or 0) + count))
  set('w', text(tokens))
  set('p', text(pinned))
  set('pin', pins)
  set('last', fingerprint .. ' ' .. seed .. ' ' .. text(version) .. ' ' .. now_s)
  if documents then set('docs', documents) end
  if results > 0 then set('r', text(tonumber(header.r or 0) + results)) end
  if ARGV[23] ~= '0' then set('s', text(tonumber(header.s or 0) + tonumber(ARGV[23]))) end
  local metadata = nil
  if is_creation then
    metadata = ARGV[18]
    set('g', generation)
    set('e', expiry)
    set('c', created)
    set('m', metadata)
    if owned.us ~= '' then set('us', owned.us) end
    if owned.ag ~= '' then set('ag', owned.ag) end
    if #joins > 0 then set('cu', owned.cu) end
  end
  local change = {conversation = conversation, activity = KEYS[3], rows = KEYS[4], record = record,
    generation = generation, version = version, chain = chain, bytes = bytes, bytes_before = bytes_before,
    expiry = expiry, created = created, metadata = metadata, is_new = is_creation, owned = owned, joins = joins,
    told = is_creation and {n = text(count), w = text(tokens), us = owned.us, ag = owned.ag} or nil}
  local reply = commit(change, fields, created, now_s)
  return after and after(reply, header, fields) or reply
end
