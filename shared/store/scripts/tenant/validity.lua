-- The value of a key's field is when the key ends, in Unix seconds; '0': never. Only a key that is being replaced costs
-- a look at the clock.
-- @part
local function is_valid(ends_at)
  return ends_at and (ends_at == '0' or tonumber(ends_at) > tonumber(redis.call('TIME')[1]))
end

-- What the hash of the tenant says that scripts decide by: when the key ends, the *fields* of its rate, how its indexes
-- are spread (index.lua), the bytes that its conversations take and may take, the rates of each user and agent
-- (whose.lua), whose conversations are being erased (erasing.lua), and the count by which instances know that something
-- was erased. One command for all of it.
local function tenant_of(fields)
  local names = {'shards', 'bytes', 'limit:bytes', 'per-user:rate', 'per-agent:rate', 'erasing', 'erasures'}
  for _, name in ipairs(fields) do names[#names + 1] = name end
  local shards, bytes, bytes_max, user_rate, agent_rate, erasing, erasures, ends_at, limit, tat =
    unpack(redis.call('HMGET', KEYS[1], unpack(names)))
  return {shards = shards or '1', bytes = tonumber(bytes or 0), bytes_max = bytes_max, ends_at = ends_at, rate = limit,
    tat = tat, rates = {user = user_rate, agent = agent_rate}, erasing = erasing or '', erasures = erasures or '0'}
end
