-- Whose conversations are being erased: field `erasing` of the tenant's hash, '<SHA-1 of a user's name> <beginning of
-- its SHA-256>;' for each; the second is what stands for the name in names. From the first call of an erasure until it
-- is done nobody sees these conversations, and nobody changes anything for these users.
-- @part
local function is_being_erased(user)
  if owner.erasing == '' or not user or user == '' then return false end
  return string.find(owner.erasing, redis.sha1hex(user) .. ' ', 1, true) ~= nil
end

-- What to reply to who would write for one of *…*, users or '' or nothing; nil where none of them is being erased.
local function refusal_of_erasing(...)
  for i = 1, select('#', ...) do
    if is_being_erased((select(i, ...))) then return {'erasing'} end
  end
end

-- The same where a user is told by the digest that ends the name of its book.
local function refusal_of_erasing_digest(digest)
  if digest ~= '' and string.find(owner.erasing, ' ' .. digest .. ';', 1, true) then return {'erasing'} end
end
