-- What adds to a conversation takes a permit of the rates of its user and of its agent. It does so behind all that its
-- caller may have to say in another way, and before it is known again: as the tenant's.
-- @part
-- @include change, fields, members, whose
local whose = take_whose()
if owner.rates.user or owner.rates.agent then
  if whose.word ~= 'known' then
    local wrong = refusal_of_owners(fields_of(KEYS[2], {'us', 'ag'}), whose.user, whose.agent)
    if wrong then return wrong end
  end
  local refusal = slowed(whose)
  if refusal then return refusal end
end
