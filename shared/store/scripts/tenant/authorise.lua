-- For a caller that holds a permit, or whose tenant is believed to have no rate: the key, and whether that is so.
-- Replies {'unauthorised'} or {'limited'} before anything else is done.
-- @part
-- @include validity
do
  local ends_at, limit = unpack(redis.call('HMGET', KEYS[1], 'k:' .. string.sub(ARGV[1], 1, 64), 'rate'))
  if not is_valid(ends_at) then return {'unauthorised'} end
  if limit and #ARGV[1] == 64 then return {'limited'} end
end
