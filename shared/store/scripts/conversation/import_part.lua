-- Add a part of an export to the conversation that is built of it; the last part gives it its name.
-- @include appending, sparse, summarised
-- KEYS: tenant, conversation, activity index, rows, what is left of the conversation if it was deleted,
--       where it is built, the sets of its user and its agent if it has them, then what is imported of its user
-- ARGV: key hash, seed, fingerprint, record_s, expected versions, now_us, conversation id, shards,
--       hash of the part, hash of the part before it ('' for the first), 'more' or 'end',
--       entries_max, bytes_max,
--       pinned_tokens_max, tenant_bytes_max, documents_max, how long it is kept unfinished,
--       generation, created_at, expiry, metadata, what it was forked from ('' for nothing), version
--       (these six of the first part), user and agent ('' for none; of the first part, else whom the caller believes
--       them to be),
--       tokens and results that were ever appended, tokens that short forms saved of all these, items and terms that
--       there were when the newest user message came ('' for none, 0 for as many as there are now), id of the oldest
--       item with terms then (these six of the last part),
--       paths of the documents that the part mentions, each behind a newline,
--       tokens that the short forms of its results save, then per line:
--         'item', id, kind, tokens, tokens appended before it, its time, '<facts>\n<body>[\n<extras>]', its terms
--         'gone', id, and six times ''
--         'summary', id of the note, id of the item it goes through, tokens, '', its time, facts, body
-- Reply: 'ok', 'more', hash of the newest part there is, items so far
--        | 'ok', 'done' or 'replayed', generation, version, chain hash, created_at, metadata, what told.lua tells of
--        it, {user, agent}
--        | 'owner', user, agent: that the first part said, where its caller believes them to be others
--        | 'unauthorised' | 'erasing' | 'shards', how many | 'exists'
--        | 'order', hash of the newest part there is ('' for none)
--        | 'taken', line | 'through', line | 'twice', line | 'version' | 'entries' | 'bytes' | 'tenant_bytes', limit
--        | 'pinned', sum | 'documents', count
-- It becomes what compaction would make of the original: items that live, the summary, the ids of those that are gone.
-- Parts come in order, each once: who sends one again is told how far it is. It counts as the tenant's from the first.
local conversation, left, side = KEYS[2], KEYS[5], KEYS[6]
local part, behind, is_end = ARGV[9], ARGV[10], ARGV[11] == 'end'
local LINES_FROM, LINE_WIDTH = 34, 8

-- The hashes of the first and of the newest part that it was made of.
local function parts_of(of)
  return string.match(of.im or '', '^(%x+) (%x+)$')
end

local there = fields_of(conversation, and_told({'v', 'h', 'g', 'c', 'm', 'im'}))
local fenced = refusal_of_erasing(there.us, ARGV[24])
if fenced then return fenced end
if there.v then
  local first, newest = parts_of(there)
  if part ~= newest and (behind ~= '' or part ~= first) then return {'exists'} end
  return with_owners({'ok', 'replayed', there.g, there.v, there.h, there.c, there.m, told_of(there)}, there)
end
if redis.call('EXISTS', left) == 1 then return {'exists'} end

local wanted = and_told({'v', 'h', 'p', 'pin', 'o', 'c', 'g', 'm', 'docs', 'r', 's', 'y', 'x', 'ti', 'to', 'tq', 'td',
  'im'})
for at = LINES_FROM, #ARGV, LINE_WIDTH do wanted[#wanted + 1] = 'i:' .. ARGV[at + 1] end
local header = fields_of(side, wanted)
local first_part, newest_part = parts_of(header)
fenced = refusal_of_erasing(header.us)
if fenced then return fenced end
local is_known = newest_part == part
if not is_known then
  if behind == '' and first_part == part then return {'ok', 'more', newest_part, header.n} end
  if behind ~= '' and behind ~= newest_part then return {'order', newest_part or ''} end
end
if behind ~= '' then
  local wrong = refusal_of_owners(header, ARGV[24], ARGV[25])
  if wrong then return wrong end
end

local user, agent = header.us or '', header.ag or ''
if behind == '' then user, agent = ARGV[24], ARGV[25] end
local sets, importing_at = sets_of(KEYS, 7, user, agent)
local importing = user ~= '' and KEYS[importing_at]

-- What *tq* says of a *message* that asked when there was what the export says.
local function as_then(message)
  if not message or ARGV[29] == '0' then return message and message.line end
  return question_line(message.place, message.first, math.max(message.items, tonumber(ARGV[29])),
    math.max(message.terms, tonumber(ARGV[30])), ARGV[31], message.codes)
end

-- What the lines make of what there is before them, as fields to set; or why they cannot.
local function added(before)
  local fields, places, paths = {}, {}, nil
  local function set(name, value)
    fields[#fields + 1], fields[#fields + 2] = name, value
  end
  local generation, version = before.g or ARGV[18], tonumber(before.v or ARGV[23])
  local place, live = version - tonumber(before.o or version), tonumber(before.n or 0)
  local chain, tokens, bytes = before.h or '', tonumber(before.w or 0), tonumber(before.b or #ARGV[21])
  local live_tokens, pinned = tokens - tonumber(before.d or 0), tonumber(before.p or 0)
  local pins, results, summary = before.pin or '', tonumber(before.r or 0), before.y or ''
  local days, asked = before.td, before.tq
  local gone, index, lacks_terms = {before.x or ''}, index_of(before, generation), false
  if index and index.written ~= text(tokens) then index = nil end
  local function add_entry(entry)
    chain = linked(chain, text(place))
    entry = chain .. entry
    bytes = bytes + #entry
    set(text(place), entry)
  end
  for at = LINES_FROM, #ARGV, LINE_WIDTH do
    local what, id, kind, own, preceding, time, said, terms = unpack(ARGV, at, at + LINE_WIDTH - 1)
    local line = text((at - LINES_FROM) / LINE_WIDTH)
    if before['i:' .. id] or places[id] then return nil, {'taken', line} end
    if what == 'gone' then
      places[id] = text(place) .. '.5'
      gone[#gone + 1] = id .. ' ' .. text(place) .. ';'
      bytes = bytes + gone_bytes(id)
      set('i:' .. id, places[id])
    elseif what == 'summary' then
      local through = places[kind] or redis.call('HGET', side, 'i:' .. kind)
      if summary ~= '' then return nil, {'twice', line} end
      if not through then return nil, {'through', line} end
      place, pinned = place + 1, pinned + tonumber(own)
      summary = text(place)
      through = text(math.floor(tonumber(through)))
      local facts = string.sub(said, 1, -2) .. ',' .. time .. ',' .. through .. ']'
      add_entry(' ' .. text(tokens) .. ' y ' .. facts .. '\n' .. terms)
    else
      place, tokens = place + 1, math.max(tokens, tonumber(preceding))
      places[id] = text(place)
      add_entry(' ' .. text(tokens) .. ' ' .. kind .. ' ' .. said)
      set('i:' .. id, places[id])
      tokens, live, live_tokens = tokens + tonumber(own), live + 1, live_tokens + tonumber(own)
      if kind == 's' then
        pinned, pins = pinned + tonumber(own), pins == '' and text(place) or pins .. ',' .. text(place)
      elseif kind == 'o' then
        results = results + 1
      end
      if terms == '-' then
        lacks_terms = true
      else
        if not index then
          index = new_index(before, place)
          bytes = bytes - index.left_bytes
          days = ''
        end
        days = with_day(days, place, tonumber(time)) or days
        if kind == 'u' then asked = question(index, place, terms) end
        if terms ~= '' then bytes = bytes + add_terms(index, fields, place, id, terms) end
      end
    end
  end
  local saved = tonumber(before.s or 0) + tonumber(ARGV[33])
  if is_end then
    -- What was deleted counts on.
    tokens, results = math.max(tokens, tonumber(ARGV[26])), math.max(results, tonumber(ARGV[27]))
    saved = math.max(saved, tonumber(ARGV[28]))
    asked = ARGV[29] ~= '' and as_then(question_of(asked)) or nil
    if ARGV[31] ~= '' and index and index.items > 0 then index.from = ARGV[31] end
  end
  bytes = bytes + #(days or '') - #(before.td or '') + #(asked or '') - #(before.tq or '')
  local documents, documents_count = with_documents(before.docs, ARGV[32])
  paths = documents or before.docs or nil
  if version < place then return nil, {'version'} end
  if place > tonumber(ARGV[12]) then return nil, {'entries'} end
  if bytes > tonumber(ARGV[13]) then return nil, {'bytes'} end
  if pinned > tonumber(ARGV[14]) then return nil, {'pinned', text(pinned)} end
  if documents_count > tonumber(ARGV[16]) then return nil, {'documents', text(documents_count)} end
  local sums = {'v', version, 'o', version - place, 'n', live, 'w', tokens, 'd', tokens - live_tokens, 'b', bytes,
    'p', pinned, 'r', results, 's', saved}
  for i = 1, #sums, 2 do set(sums[i], text(sums[i + 1])) end
  local texts = {h = chain, pin = pins, y = summary, x = table.concat(gone), td = days or nil, tq = asked or '',
    docs = paths, t = now_s, im = (behind == '' and part or first_part) .. ' ' .. part}
  for name, value in pairs(texts) do set(name, value) end
  if index and not lacks_terms then
    index.written = text(tokens)
    set('ti', written_index(index, generation))
    set('to', index.block)
  end
  if behind == '' then
    for i, name in ipairs({'g', 'c', 'e', 'm', 'f'}) do
      if name ~= 'f' or ARGV[22] ~= '' then set(name, ARGV[17 + i]) end
    end
    if user ~= '' then set('us', user) end
    if agent ~= '' then set('ag', agent) end
  end
  return fields, nil, bytes
end

if not is_known then
  local before = behind ~= '' and header or {}
  local fields, refused, bytes = added(before)
  if refused then return refused end
  local full = refusal_of_room(bytes - tonumber(before.b or 0), ARGV[15])
  if full then return full end
  -- What was begun of another export is left behind.
  if behind == '' and newest_part then redis.call('UNLINK', side) end
  -- Where a user's erasure finds what has no name yet. What is there no more it finds in vain.
  if importing then
    redis.call('ZADD', importing, now_s, conversation_id)
    redis.call('ZREMRANGEBYSCORE', importing, '-inf', text(tonumber(now_s) - 2 * tonumber(ARGV[17])))
    redis.call('EXPIRE', importing, text(2 * tonumber(ARGV[17])))
  end
  redis.call('HSET', side, unpack(fields))
  redis.call('EXPIRE', side, ARGV[17])
  charge(conversation_id, tonumber(header.b or 0), bytes)
end
local built = fields_of(side, and_told({'v', 'h', 'g', 'c', 'm', 'y'}))
if not is_end then return {'ok', 'more', part, built.n} end

local summary = built.y ~= '' and redis.call('HGET', side, built.y)
if summary then
  local covered, through = 0, through_of(summary)
  walk(side, 1, through, 1, chunk_for(tonumber(built.b), through, through), function(_, entry)
    if is_item(entry) and kind_of(entry) ~= 's' then covered = covered + tokens_of(entry) end
  end)
  redis.call('HSET', side, 'sc', cjson.decode(facts_of(summary))[8] .. ' ' .. text(covered))
end
redis.call('HSET', side, 't', now_s)
built.t = now_s
if built.e == '0' then redis.call('PERSIST', side) else redis.call('EXPIRE', side, built.e) end
redis.call('ZADD', KEYS[3], now_us, conversation_id)
local line = row(built.c, built.e, now_s, built.b, built.m, built)
redis.call('HSET', KEYS[4], conversation_id, PENDING .. line)
join(sets, conversation_id, built)
redis.call('RENAME', side, conversation)
if importing then redis.pcall('ZREM', importing, conversation_id) end
redis.pcall('HSET', KEYS[4], conversation_id, line)
return with_owners({'ok', 'done', built.g, built.v, built.h, built.c, built.m, told_of(built)}, built)
