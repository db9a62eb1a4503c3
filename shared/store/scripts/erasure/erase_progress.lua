-- Have a cron begin anew that stopped at a document which is forgotten.
-- @keyless
-- KEYS: job
-- ARGV: what its progress must not be
-- Reply: 'ok'
local progress = redis.call('HGET', KEYS[1], 'progress')
for _, each in ipairs(ARGV) do
  if each == progress then redis.call('HSET', KEYS[1], 'progress', '') end
end
return {'ok'}
