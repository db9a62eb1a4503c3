-- The value of a key's field is when the key ends, in Unix seconds; '0': never. Only a key that is being replaced costs
-- a look at the clock.
-- @part
local function is_valid(ends_at)
  return ends_at and (ends_at == '0' or tonumber(ends_at) > tonumber(redis.call('TIME')[1]))
end
