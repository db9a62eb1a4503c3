-- How it is counted what a tenant's conversations take.
-- @part
-- @include digits, text

-- Counted are whole portions: one command more for 16 KiB, not for each write. Where a conversation's first portion
-- begins, its digits decide, so that the sum over many is right, and what was charged for one is taken away with it to
-- the byte. The sweep adds up what there is.
local PORTION_BYTES = 16384
local function portions_of(id, bytes)
  local offset = tonumber(string.sub(digits_of(id), 1, 4), 16) % PORTION_BYTES
  return math.floor((bytes + offset) / PORTION_BYTES)
end

-- The conversation *id* took *before* bytes, and takes *after*.
local function charge(id, before, after)
  local portions = portions_of(id, after) - portions_of(id, before)
  if portions ~= 0 then redis.call('HINCRBY', KEYS[1], 'bytes', text(portions * PORTION_BYTES)) end
end
