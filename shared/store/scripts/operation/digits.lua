-- Eight hexadecimal digits of a conversation, as random as ids are: they say where in the indexes it is, and how its
-- bytes are counted.
-- @part
--
-- Of an id that the service made, the last ones; an id that a client chose may end as all of its others do, so there
-- those of its hash (shared/store/indexes.py).
local function digits_of(id)
  if #id == 53 and string.find(id, '^conv_[0-9a-f]+$') then return string.sub(id, -8) end
  return string.sub(redis.sha1hex(id), -8)
end
