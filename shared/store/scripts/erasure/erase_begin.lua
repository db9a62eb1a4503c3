-- Begin to erase a user, or look how far that is: from now on nobody changes anything for the user.
-- @include removing
-- KEYS: tenant, conversations of the user, what is imported of the user, what the user spent, receipt of an erasure
--       that is over, where conversations are built
-- ARGV: key hash, mark of the user, its digest, id of the erasure if it is new, how many users may be erased at once,
--       how many conversations to name
-- Reply: 'ok', 'going', now in ms, sums (removing.lua), {ids of conversations}
--        | 'ok', 'over', what erase_end.lua kept, or 'none', now in ms: there is nothing of the user
--        | 'unauthorised' | 'many'
-- The count of erasures is what instances forget by what they hold of the tenant (authorise.lua).
local mark, entry = ARGV[2], ARGV[2] .. ' ' .. ARGV[3] .. ';'
local at_once_max, ids_max = tonumber(ARGV[5]), tonumber(ARGV[6])
local now, field = now_ms(), 'erasure:' .. mark
local is_going = string.find(owner.erasing, entry, 1, true) ~= nil
local ids = ids_in(KEYS[2], KEYS[3], ids_max)
redis.call('UNLINK', KEYS[6])
local erasure = is_going and read_erasure(redis.call('HGET', KEYS[1], field))
if not is_going and #ids == 0 and redis.call('EXISTS', KEYS[4]) == 0 then
  local kept = redis.call('GET', KEYS[5])
  if kept then return {'ok', 'over', kept} end
  return {'ok', 'none', text(now)}
end
if not erasure then
  local _, count = string.gsub(owner.erasing, ';', '')
  if not is_going and count >= at_once_max then return {'many'} end
  erasure = {id = ARGV[4], begun = now, conversations = 0, items = 0, bytes = 0, names = 0, counted = ''}
  redis.call('HSET', KEYS[1], 'erasing', is_going and owner.erasing or owner.erasing .. entry,
    'erasures', text(tonumber(owner.erasures) + 1), field, written_erasure(erasure))
end
return {'ok', 'going', text(now), sums_of(erasure), ids}
