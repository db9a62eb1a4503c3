-- How documents are kept: marks with fences, and texts that count once their mark does.
-- @part
-- @include text

local ABSENT_S = 60

-- The fence behind that of *mark*: it grows with each lease, each write and each notice.
local function fence_after(mark, now_ms)
  return text(math.max(tonumber(string.match(mark or '', '^%d+') or 0) + 1, tonumber(now_ms)))
end

-- The mark of what is outdated from now on.
local function outdated(mark, now_ms)
  return fence_after(mark, now_ms) .. ' 0 '
end

-- Whether *marks* may have one more. Whoever asks for enough that does not exist would keep out all others of the scope
-- until the next sweep: such marks give way.
local function has_room(marks, documents_max, now_ms)
  if redis.call('HLEN', marks) < tonumber(documents_max) then return true end
  local some, gone = redis.call('HRANDFIELD', marks, 32, 'WITHVALUES'), {}
  for i = 1, #some, 2 do
    local checked_at = string.match(some[i + 1], '^%d+ (%d+) %-$')
    if checked_at and tonumber(now_ms) > (tonumber(checked_at) + ABSENT_S) * 1000 then gone[#gone + 1] = some[i] end
  end
  if #gone == 0 then return false end
  redis.call('HDEL', marks, unpack(gone))
  return true
end

-- Puts *fields* in the place of a document, nothing for one that is none. It has its expiry before its text, so that
-- none stays for ever whose mark is refused.
local function keep(document, fields, expiry_s)
  redis.call('DEL', document)
  if #fields == 0 then return end
  redis.call('HSET', document, 'size', 0)
  redis.call('EXPIRE', document, expiry_s)
  redis.call('HSET', document, unpack(fields))
end

local function give_back(lease, holder)
  if redis.call('GET', lease) == holder then redis.call('DEL', lease) end
end
