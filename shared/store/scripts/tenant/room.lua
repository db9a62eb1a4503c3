-- What a tenant's conversations may take.
-- @part

-- What to reply when the tenant may not store so many *bytes* more; the default is for tenants without a limit of
-- their own.
local function refusal_of_room(bytes, default_max)
  local bytes_max = owner.bytes_max or default_max
  if bytes > 0 and owner.bytes + bytes > tonumber(bytes_max) then return {'tenant_bytes', bytes_max} end
end
