-- Append and read in one step, as append_read.lua says.
-- @part
-- @include appending, reading

-- How many arguments say what a reader holds and needs.
local READER = 16

-- *all_keys* and *all_arguments* end with those of the reader; *own_keys* and *own_arguments* are those of append.lua.
local function append_and_read(all_keys, all_arguments, own_keys, own_arguments, before)
  local reader_keys = {all_keys[1], all_keys[2], all_keys[#all_keys]}
  local reader = {all_arguments[1], unpack(all_arguments, #all_arguments - READER + 1)}

  local function with_reading(reply, found, fields)
    local header, heads, log = found, {}, nil
    if fields then
      header = {}
      for name, value in pairs(found) do header[name] = value end
      for at = 1, #fields, 2 do header[fields[at]] = fields[at + 1] end
      local removed = tonumber(header.o or 0)
      for place = tonumber(found.v) - removed + 1, tonumber(header.v) - removed do
        heads[#heads + 1] = string.match(header[text(place)], '^%x+ %d+')
      end
    end
    -- An append that is known by its key may be one to a conversation that is there no more.
    if header.g then log = log_of(reader_keys, reader, header, found) end
    reply[#reply + 1] = read(reader_keys, reader, log)
    reply[#reply + 1] = heads
    return reply
  end

  return append(own_keys, own_arguments, before, with_reading, HEADER)
end
