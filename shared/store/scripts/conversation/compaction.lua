-- Compact, with the KEYS and ARGV of compact.lua.
-- @part
-- @include entries, fields, sparse, text
local function compact(KEYS, ARGV)
  local conversation, generation, is_forced = KEYS[2], ARGV[2], ARGV[3] == '1'
  local block_entries, FIRST_ENCODING = tonumber(ARGV[4]), 5
  local header = fields_of(conversation, {'v', 'o', 'n', 'b', 'h', 'pin', 'y', 'x', 'g', 'c', 'm'})
  if not header.v then return {'unknown'} end
  local removed, live, bytes = tonumber(header.o or 0), tonumber(header.n), tonumber(header.b)
  local entries = tonumber(header.v) - removed
  local function done(count)
    return {'ok', header.g, header.v, header.c, header.m, text(count)}
  end
  if not is_sparse(entries, live) and not (is_forced and live < entries) then return done(0) end

  -- Written in portions that unpack can hold, names and values, and that copy about CALL_BYTES.
  local fields, fields_bytes = {}, 0
  local function flush()
    if #fields > 0 then redis.call('HSET', conversation, unpack(fields)) end
    fields, fields_bytes = {}, 0
  end
  local function set(name, value)
    fields[#fields + 1], fields[#fields + 2] = name, value
    fields_bytes = fields_bytes + #value
    if #fields >= UNPACK_MAX or fields_bytes > CALL_BYTES then flush() end
  end

  -- place_of[p]: how many entries stay up to and including the one that was at p.
  local place_of, kept, kept_bytes, gone, last = {[0] = 0}, 0, 0, {}, nil
  local function note_gone(id, place)
    gone[#gone + 1] = id .. ' ' .. text(place) .. ';'
    kept_bytes = kept_bytes + gone_bytes(id)
    set('i:' .. id, text(place) .. '.5')
  end

  -- An entry never moves down, and those behind it in the same portion were read already: none is overwritten unread.
  walk(conversation, 1, entries, 1, chunk_for(bytes, entries, entries), function(seq, entry)
    local kind = kind_of(entry)
    if is_item(entry) or kind == 'y' then
      kept = kept + 1
      if kind == 'y' then
        local through, before = string.match(entry, '^[^\n]*,(%d+),(%d+)%]\n')
        local moved = ',' .. text(place_of[tonumber(through)]) .. ',' .. text(place_of[tonumber(before)]) .. ']\n'
        entry = string.gsub(entry, ',%d+,%d+%]\n', moved, 1)
      elseif kept < seq then
        set('i:' .. id_of(entry), text(kept))
      end
      kept_bytes, last = kept_bytes + #entry, entry
      if kept < seq then set(text(kept), entry) end
    end
    place_of[seq] = kept
    if kind == 'x' then note_gone(string.match(entry, '%["([^"]*)"%]'), kept) end
  end)
  for id, place in string.gmatch(header.x or '', '([^ ]+) (%d+);') do note_gone(id, place_of[tonumber(place)]) end
  -- Who holds all of it names the chain hash of the header.
  if last then set(text(kept), header.h .. string.match(last, '^%x+( .*)$')) end
  flush()

  local doomed = {}
  local function drop()
    if #doomed > 0 then redis.call('HDEL', conversation, unpack(doomed)) end
    doomed = {}
  end
  local function doom(field)
    doomed[#doomed + 1] = field
    if #doomed == UNPACK_MAX then drop() end
  end
  for place = kept + 1, entries do doom(text(place)) end
  for i = FIRST_ENCODING, #ARGV do
    for block = 0, math.floor(entries / block_entries) do doom('q:' .. ARGV[i] .. ':' .. text(block)) end
  end
  drop()

  local pins = {}
  for pin in string.gmatch(header.pin, '%d+') do pins[#pins + 1] = text(place_of[tonumber(pin)]) end
  header.g = generation
  set('g', generation)
  set('o', text(removed + entries - kept))
  set('b', text(kept_bytes))
  set('pin', table.concat(pins, ','))
  set('x', table.concat(gone))
  if header.y then set('y', text(place_of[tonumber(header.y)])) end
  flush()
  return done(entries - kept)
end
