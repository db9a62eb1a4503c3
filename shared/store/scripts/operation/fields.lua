-- Fields of a hash as a table by name, false for one that is not there.
-- @part
local function fields_of(key, names)
  local values, fields = redis.call('HMGET', key, unpack(names)), {}
  for i = 1, #names do fields[names[i]] = values[i] end
  return fields
end
