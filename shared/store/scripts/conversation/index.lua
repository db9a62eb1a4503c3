-- The tenant's indexes: when each conversation was written last (sorted sets), and a row for each (hashes).
-- @part
-- @include digits
--
-- They are spread over shards, so that no record holds all of a tenant. The field `shards` of the tenant's hash says
-- over how many: '4', or '4 2' while the rows of 2 are being moved to 4. The last four digits of a conversation say
-- which is its own (digits.lua). Scripts are told what their caller believes, because that decides their KEYS.
--
-- A row is '<created> <expiry> <last use> <bytes> <metadata>'. One that begins with '?' was written by a script that
-- did not come to its end: nobody knows whether the conversation is as the row says, and it has to be asked. So it is
-- where the sorted set names one without a row; therefore a place there is made before the row, and goes after it.

local function row(created, expiry, used, bytes, metadata)
  return created .. ' ' .. expiry .. ' ' .. used .. ' ' .. bytes .. ' ' .. metadata
end

local PENDING = '?'

-- The facts of a *line*, after the mark of one that is pending, which is '' for others.
local function read_row(line)
  return string.match(line, '^(%??)(%d+) (%d+) (%d+) (%d+) (.*)$')
end

local function shard_of(id, shards)
  return tonumber(string.sub(digits_of(id), -4), 16) % shards
end

-- Whether a conversation has expired by *at_s* that was last written at *written_us*, and read at *used*, which its row
-- says.
local function has_expired(written_us, expiry, used, at_s)
  return expiry ~= '0' and math.max(tonumber(written_us) / 1000000, tonumber(used)) + tonumber(expiry) < at_s
end
