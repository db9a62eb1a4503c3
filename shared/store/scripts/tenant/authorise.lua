-- For a caller that holds a permit, or whose tenant is believed to have no rate: the key, its role, and whether that is
-- so. Replies {'unauthorised'}, {'forbidden', the key's role} or {'limited'} before anything else is done.
-- @part
-- @include validity
local owner = tenant_of('rate')
do
  local refused = refusal_of_key(owner.key)
  if refused then return refused end
end
if owner.rate and rate_asked == '' then return {'limited'} end
