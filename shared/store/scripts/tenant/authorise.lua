-- For a caller that holds a permit, or whose tenant is believed to have no rate: the key, its role, and whether that is
-- so. Replies {'unauthorised'}, {'forbidden', the key's role}, {'limited'} or {'erased', the tenant's count of
-- erasures} before anything else is done; the last where it is not the one that its caller knows, who has then to
-- forget what it holds of the tenant.
-- @part
-- @include validity
local owner = tenant_of('rate')
do
  local refused = refusal_of_key(owner.key)
  if refused then return refused end
end
if owner.rate and rate_asked == '' then return {'limited'} end
if known_erasures ~= '' and known_erasures ~= owner.erasures then return {'erased', owner.erasures} end
