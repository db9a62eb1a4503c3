-- What adds to a conversation takes a permit of the rates of its user and of its agent. It does so behind all that its
-- caller may have to say in another way, and before it is known again: as the tenant's.
-- @part
-- @include change, whose
local whose = take_whose()
if owner.rates.user or owner.rates.agent then
  if whose.word ~= 'known' then
    local user, agent = unpack(redis.call('HMGET', KEYS[2], 'us', 'ag'))
    local wrong = mistaken(whose, 'owner', user, agent)
    if wrong then return wrong end
  end
  local refusal = slowed(whose)
  if refusal then return refusal end
end
