-- For a caller without a permit: the key and its role, then permits of the tenant's rate, as many of those asked for as
-- there are, but not fewer than the operation takes; where that is more than a burst, all of a burst. What is asked of
-- the rate is how many to grant, and how many it takes at least, 1 if it does not say.
-- What follows is the script's own part, as a function; the reply is {its reply, what is told of the rate (gcra.lua),
-- how often anything of the tenant was erased}, the second empty without a rate.
-- @part
-- @include gcra, validity
local owner = tenant_of('rate', 'tat')
local rate = {}
do
  local refused = refusal_of_key(owner.key)
  if refused then return {refused, {}, owner.erasures} end
  if owner.rate then
    local wanted, least = string.match(rate_asked, '^ (%d+) ?(%d*)')
    local granted, becomes, told = granted_of(owner.rate, owner.tat, now_micros(), tonumber(wanted),
      tonumber(least) or 1)
    if becomes then redis.call('HSET', KEYS[1], 'tat', becomes) end
    if granted == 0 then return {{'denied'}, told, owner.erasures} end
    rate = told
  end
end
