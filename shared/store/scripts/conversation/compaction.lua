-- Compact, with the KEYS and ARGV of compact.lua. *layout_of*: returns how the tenant's indexes are spread.
-- @part
-- @include batches, charge, entries, fields, index, sparse, summarised, terms_changed, text, told
local function compact(KEYS, ARGV, layout_of)
  local conversation, side, generation, is_forced = KEYS[2], KEYS[3], ARGV[2], ARGV[3] == '1'
  local now_s, batches_s, conversation_id, shards = unpack(ARGV, 4, 7)
  local header = fields_of(conversation,
    {'v', 'o', 'n', 'b', 'h', 'w', 'd', 'p', 'pin', 'y', 'x', 'g', 'c', 'm', 'e', 't', 'docs', 'last', 'r', 's', 'sc',
      'ti', 'to', 'tq', 'td', 'f', 'im', unpack(OWNED)})
  if not header.v then return {'unknown'} end
  local removed, live, bytes = tonumber(header.o or 0), tonumber(header.n), tonumber(header.b)
  local entries = tonumber(header.v) - removed
  local function done(count)
    return {'ok', header.g, header.v, header.h, header.c, header.m, text(count), is_indexed(header) and '0' or '1',
      told_of(header), {header.us or '', header.ag or ''}}
  end
  if not is_sparse(entries, live) and not (is_forced and live < entries) then return done(0) end
  local told = layout_of()
  if told ~= shards then return {'shards', told} end

  -- What stays is written anew under another name, in portions that unpack can hold, names and values, and that copy
  -- about CALL_BYTES. It takes the conversation's name with the last write.
  redis.call('UNLINK', side)
  local fields, fields_bytes = {}, 0
  local function flush()
    if #fields > 0 then redis.call('HSET', side, unpack(fields)) end
    fields, fields_bytes = {}, 0
  end
  local function set(name, value)
    fields[#fields + 1], fields[#fields + 2] = name, value
    fields_bytes = fields_bytes + #value
    if #fields >= UNPACK_MAX or fields_bytes > CALL_BYTES then flush() end
  end

  -- place_of[p]: how many entries stay up to and including the one that was at p.
  local place_of, kept, kept_bytes, gone, last = {[0] = 0}, 0, #header.m, {}, nil
  local function note_gone(id, place)
    gone[#gone + 1] = id .. ' ' .. text(place) .. ';'
    kept_bytes = kept_bytes + gone_bytes(id)
    set('i:' .. id, text(place) .. '.5')
  end

  walk(conversation, 1, entries, 1, chunk_for(bytes, entries, entries), function(seq, entry)
    local kind = kind_of(entry)
    if is_item(entry) or kind == 'y' then
      -- The one before is written now that another follows: the last gets another chain hash.
      if last then set(text(kept), last) end
      kept = kept + 1
      if kind == 'y' then
        entry = string.gsub(entry, ',%d+%]\n', ',' .. text(place_of[through_of(entry)]) .. ']\n', 1)
      else
        set('i:' .. id_of(entry), text(kept))
      end
      kept_bytes, last = kept_bytes + #entry, entry
    end
    place_of[seq] = kept
    if kind == 'x' then note_gone(string.match(entry, '%["([^"]*)"%]'), kept) end
  end)
  for id, place in string.gmatch(header.x or '', '([^ ]+) (%d+);') do note_gone(id, place_of[tonumber(place)]) end
  -- Who holds all of it names the chain hash of the header.
  if last then set(text(kept), header.h .. string.match(last, '^%x+( .*)$')) end

  -- Which batches were applied is known for as long as they may come again.
  each_batch(conversation, function(name, value)
    if tonumber(string.match(value, '(%d+)$')) + tonumber(batches_s) > tonumber(now_s) then
      set(name, value)
      kept_bytes = kept_bytes + BATCH_BYTES
    end
  end)

  local pins = {}
  for pin in string.gmatch(header.pin, '%d+') do pins[#pins + 1] = text(place_of[tonumber(pin)]) end
  for _, name in ipairs({'v', 'h', 'n', 'w', 'd', 'p', 'e', 't', 'c', 'm', 'docs',
    'last', 'r', 's', 'sc', 'f', 'im', unpack(OWNED)}) do
    if header[name] then set(name, header[name]) end
  end
  kept_bytes = kept_bytes
    + move_terms(conversation, header, function(place) return place_of[place] end, generation, set)
  header.b = text(kept_bytes)
  -- What is told of the index is the same of the one that was written: it was made of it.
  local reply = done(entries - kept)
  reply[2] = generation
  set('g', generation)
  set('o', text(removed + entries - kept))
  set('b', header.b)
  set('pin', table.concat(pins, ','))
  set('x', table.concat(gone))
  if header.y and header.y ~= '' then set('y', text(place_of[tonumber(header.y)])) end
  flush()
  local left_ms = redis.call('PTTL', conversation)
  if left_ms >= 0 then redis.call('PEXPIRE', side, math.max(1, left_ms)) end
  charge(conversation_id, bytes, kept_bytes)
  redis.call('RENAME', side, conversation)
  -- The list goes by what stays the same, the sum of the tenant's bytes by the row.
  redis.pcall('HSET', KEYS[4], conversation_id, row(header.c, header.e, header.t, text(kept_bytes), header.m, header))
  return reply
end
