-- Add uses to the decayed counts of documents.
-- @keyless
-- KEYS: hot documents
-- ARGV: now in half-lives, how many are kept, then name and uses of each
-- Reply: 'ok'
-- A score is the binary logarithm of the sum of 2^(time of use), times in half-lives: nothing has to be decayed, the
-- order is that of the decayed counts at any time, and no number grows beyond the time itself.
local names = {}
for i = 3, #ARGV, 2 do names[#names + 1] = ARGV[i] end
local scores = redis.call('ZMSCORE', KEYS[1], unpack(names))
local fields = {}
for i, name in ipairs(names) do
  local new = tonumber(ARGV[1]) + math.log(tonumber(ARGV[i * 2 + 2])) / math.log(2)
  local old = tonumber(scores[i] or new)
  if scores[i] then
    local high, low = math.max(old, new), math.min(old, new)
    new = high + math.log(1 + 2 ^ (low - high)) / math.log(2)
  end
  fields[#fields + 1] = string.format('%.17g', new)
  fields[#fields + 1] = name
end
redis.call('ZADD', KEYS[1], unpack(fields))
-- It is done: what is too much can go with the next.
redis.pcall('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[2]))
return {'ok'}
