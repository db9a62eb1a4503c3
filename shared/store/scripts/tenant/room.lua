-- What a tenant's conversations may take, and how it is counted.
-- @part
-- @include text

-- What to reply when the tenant may not store so many *bytes* more; the default is for tenants without a limit of
-- their own.
local function refusal_of_room(bytes, default_max)
  local bytes_max = owner.bytes_max or default_max
  if bytes > 0 and owner.bytes + bytes > tonumber(bytes_max) then return {'tenant_bytes', bytes_max} end
end

-- Adds to what they take, or takes away. Small amounts go by lot, in portions, each with the chance that makes the sum
-- right in the long run: one is not worth a command each time, and the sweep adds up what there is.
local PORTION_BYTES = 16384
local function charge(seed, bytes)
  local portions = math.floor(math.abs(bytes) / PORTION_BYTES)
  local rest = math.abs(bytes) - portions * PORTION_BYTES
  if tonumber(string.sub(seed, -6), 16) / 16777216 * PORTION_BYTES < rest then portions = portions + 1 end
  if portions == 0 then return end
  redis.call('HINCRBY', KEYS[1], 'bytes', text((bytes < 0 and -1 or 1) * portions * PORTION_BYTES))
end
