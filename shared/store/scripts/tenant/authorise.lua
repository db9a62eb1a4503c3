-- For a caller that holds a permit, or whose tenant is believed to have no rate: the key, and whether that is so.
-- Replies {'unauthorised'} or {'limited'} before anything else is done.
-- @part
-- @include validity
local owner = tenant_of({'k:' .. string.sub(ARGV[1], 1, 64), 'rate'})
if not is_valid(owner.ends_at) then return {'unauthorised'} end
if owner.rate and #ARGV[1] == 64 then return {'limited'} end
