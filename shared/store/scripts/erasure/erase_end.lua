-- A user is erased: the receipt is kept for a while, and the user may begin anew.
-- @include removing
-- KEYS: tenant, conversations of the user, what is imported of the user, what the user spent, documents that
--       erased ones mentioned, receipt
-- ARGV: key hash, mark of the user, for how long the receipt is kept, version and deployment
-- Reply: 'ok', '<id> <begun, ms> <ended, ms> <conversations> <items> <bytes> <names> <version> <deployment>'
--        | 'unauthorised' | 'more': there are conversations of the user | 'over': it was ended already
local mark = ARGV[2]
local field, entry = 'erasure:' .. mark, string.match(owner.erasing, mark .. ' %x+;')
local erasure = read_erasure(redis.call('HGET', KEYS[1], field))
if not entry or not erasure then return {'over'} end
if redis.call('ZCARD', KEYS[2]) + redis.call('ZCARD', KEYS[3]) > 0 then return {'more'} end
local names = erasure.names + redis.call('EXISTS', KEYS[4], KEYS[5])
local receipt = table.concat({erasure.id, text(erasure.begun), text(now_ms()), text(erasure.conversations),
  text(erasure.items), text(erasure.bytes), text(names), ARGV[4], ARGV[5]}, ' ')
redis.call('SET', KEYS[6], receipt, 'EX', ARGV[3])
redis.call('UNLINK', KEYS[4], KEYS[5])
local others = string.gsub(owner.erasing, entry, '', 1)
redis.call('HSET', KEYS[1], 'erasing', others, field, '')
-- It is done: fields that are '' say nothing.
redis.pcall('HDEL', KEYS[1], field, others == '' and 'erasing' or field)
return {'ok', receipt}
