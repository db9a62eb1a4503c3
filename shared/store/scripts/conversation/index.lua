-- The tenant's metadata index: a row for each conversation.
-- @part

local function row(created, expiry, used, metadata)
  return created .. ' ' .. expiry .. ' ' .. used .. ' ' .. metadata
end

-- Whether a conversation has expired by *at_s* that was last written at *written_us*, and read at *used*, which its row
-- says.
local function has_expired(written_us, expiry, used, at_s)
  return expiry ~= '0' and math.max(tonumber(written_us) / 1000000, tonumber(used)) + tonumber(expiry) < at_s
end
