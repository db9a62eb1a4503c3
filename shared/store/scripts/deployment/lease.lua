-- A job that one instance does at a time, and how far it got.
-- @keyless
-- @include text
-- KEYS: job
-- ARGV: mode, fence, lease_ms, progress
--       'take': begin, if nobody is at it
--       'keep': note the progress and stay at it; 'leave': note the progress and end
-- Reply: 'ok', fence, progress | 'busy', ms that the lease has left | 'lost': another has it by now, nothing was noted
-- The store's clock decides. The fence grows with each taker, so that a slow one cannot write over its successor.
local now = redis.call('TIME')
local now_ms = tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
local fence, until_ms, progress = unpack(redis.call('HMGET', KEYS[1], 'fence', 'until', 'progress'))
fence, until_ms = tonumber(fence or 0), tonumber(until_ms or 0)
if ARGV[1] == 'take' then
  if until_ms > now_ms then return {'busy', text(until_ms - now_ms)} end
  redis.call('HSET', KEYS[1], 'fence', text(fence + 1), 'until', text(now_ms + tonumber(ARGV[3])))
  return {'ok', text(fence + 1), progress or ''}
end
if fence ~= tonumber(ARGV[2]) then return {'lost'} end
local ends = ARGV[1] == 'leave' and 0 or now_ms + tonumber(ARGV[3])
redis.call('HSET', KEYS[1], 'until', text(ends), 'progress', ARGV[4])
return {'ok', text(fence), ARGV[4]}
