-- For a caller that holds a permit, or whose tenant is believed to have no rate: the key, and whether that is so.
-- Replies {'unauthorised'}, {'limited'} or {'erased', the tenant's count of erasures} before anything else is done; the
-- last where it is not the one behind '@' that its caller knows, who has then to forget what it holds of the tenant.
-- @part
-- @include validity
local owner = tenant_of({'k:' .. string.sub(ARGV[1], 1, 64), 'rate'})
if not is_valid(owner.ends_at) then return {'unauthorised'} end
do
  local asked, known = string.match(ARGV[1], '^%x+([^@]*)@?(.*)$')
  if owner.rate and asked == '' then return {'limited'} end
  if known ~= '' and known ~= owner.erasures then return {'erased', owner.erasures} end
end
