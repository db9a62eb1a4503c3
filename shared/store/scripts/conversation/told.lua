-- What answers tell of a conversation besides its metadata and its version.
-- @part
-- @include text

-- The fields of a header that it is told from.
local TOLD = {'n', 'w', 'd', 'b', 't', 'e', 'f', 'us', 'ag'}

-- '<live items> <their tokens> <bytes> <last use> <expiry> <id of what it was forked from>', of a *header* with them.
local function told_of(header)
  local tokens = tonumber(header.w or 0) - tonumber(header.d or 0)
  return table.concat({header.n, text(tokens), header.b, header.t, header.e, header.f or ''}, ' ')
end

-- Whether *told* is that, without what it was forked from.
local function lacks_source(told)
  return string.find(told, '^%d+ %d+ %d+ %d+ %d+ $') ~= nil
end

-- *reply* with {user, agent} of a *header* behind it, '' for none: what an Idempotency-Key keeps of it says neither.
local function with_owners(reply, header)
  reply[#reply + 1] = {header.us or '', header.ag or ''}
  return reply
end

-- *names*, and those fields behind them.
local function and_told(names)
  for _, name in ipairs(TOLD) do names[#names + 1] = name end
  return names
end
