-- The tenant's indexes: when each conversation was written last (sorted sets), and a row for each (hashes).
-- @part
-- @include digits, text
--
-- They are spread over shards, so that no record holds all of a tenant. The field `shards` of the tenant's hash says
-- over how many: '4', or '4 2' while the rows of 2 are being moved to 4. The last four digits of a conversation say
-- which is its own (digits.lua). Scripts are told what their caller believes, because that decides their KEYS.
--
-- A row is '<created> <expiry> <last use> <bytes> <metadata>'; of a conversation with a user or an agent it is
-- '@<created, µs> <expiry> <last use> <bytes> <bytes of the user> <bytes of the agent> <user><agent><metadata>', which
-- a release that knows of neither takes for one in doubt. One that begins with '?' was written by a script that did not
-- come to its end: nobody knows whether the conversation is as the row says, and it has to be asked. So it is where the
-- sorted set names one without a row; therefore a place there is made before the row, and goes after it.

-- The fields of a conversation that say whose it is, and the microseconds of its creation.
local OWNED = {'us', 'ag', 'cu'}

local function and_owned(names)
  for _, name in ipairs(OWNED) do names[#names + 1] = name end
  return names
end

-- When a conversation was made, in microseconds, of which who never had a user nor an agent has none.
local function created_us(created, owned)
  return tonumber(created) * 1000000 + tonumber(owned.cu or 0)
end

-- *owned*: a header with its OWNED fields.
local function row(created, expiry, used, bytes, metadata, owned)
  local user, agent, facts = owned.us or '', owned.ag or '', ' ' .. expiry .. ' ' .. used .. ' ' .. bytes .. ' '
  if user == '' and agent == '' then return created .. facts .. metadata end
  local sizes = text(#user) .. ' ' .. text(#agent) .. ' '
  return '@' .. text(created_us(created, owned)) .. facts .. sizes .. user .. agent .. metadata
end

local PENDING, NOBODY = '?', {us = '', ag = ''}

-- The facts of a *line*, after the mark of one that is pending, which is '' for others: created, expiry, last use,
-- bytes, metadata, its OWNED fields; nothing of what is no row.
local function read_row(line)
  local mark, created, expiry, used, bytes, rest = string.match(line, '^(%??)(@?%d+) (%d+) (%d+) (%d+) (.*)$')
  if not mark then return nil end
  if string.sub(created, 1, 1) ~= '@' then return mark, created, expiry, used, bytes, rest, NOBODY end
  local user_bytes, agent_bytes, names = string.match(rest, '^(%d+) (%d+) (.*)$')
  if not names then return nil end
  local at_us, from = tonumber(string.sub(created, 2)), tonumber(user_bytes) + 1
  local to = from + tonumber(agent_bytes)
  local owned = {us = string.sub(names, 1, from - 1), ag = string.sub(names, from, to - 1), cu = at_us % 1000000}
  return mark, text(math.floor(at_us / 1000000)), expiry, used, bytes, string.sub(names, to), owned
end

local function shard_of(id, shards)
  return tonumber(string.sub(digits_of(id), -4), 16) % shards
end

-- Whether a conversation has expired by *at_s* that was last written at *written_us*, and read at *used*, which its row
-- says.
local function has_expired(written_us, expiry, used, at_s)
  return expiry ~= '0' and math.max(tonumber(written_us) / 1000000, tonumber(used)) + tonumber(expiry) < at_s
end
