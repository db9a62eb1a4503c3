-- Whether a caller's key is valid, and whether its role will do.
-- @part

-- Behind the hash of the key stand the roles that may do this, each between slashes (shared/request/roles.py), and
-- behind those what is asked of the tenant's rate, and behind '@' the count of erasures that the caller knows of.
local key_hash, roles, rate_asked, known_erasures = string.match(ARGV[1], '^([^/]+)(/[%l/]+/)([^@]*)@?(.*)$')

-- What to reply to the holder of a key, nothing where it may go on. The value of its field is when it ends, in Unix
-- seconds, '0': never; and behind that its role, without which it is `full`. What is not of this form is no key. Only a
-- key that is being replaced costs a look at the clock.
local function refusal_of_key(value)
  local ends_at, role = string.match(value or '', '^(%d+) (%l+)$')
  if not role then ends_at, role = string.match(value or '', '^%d+$'), 'full' end
  if not ends_at or (ends_at ~= '0' and tonumber(ends_at) <= tonumber(redis.call('TIME')[1])) then
    return {'unauthorised'}
  end
  if not string.find(roles, '/' .. role .. '/', 1, true) then return {'forbidden', role} end
end

-- What the hash of the tenant says that scripts decide by: what it says of the key, the *fields* of its rate, how its
-- indexes are spread (index.lua), the bytes that its conversations take and may take, the rates of each user and agent
-- (whose.lua), whose conversations are being erased (erasing.lua), and the count by which instances know that something
-- was erased. One command for all of it.
local function tenant_of(...)
  local names = {'shards', 'bytes', 'limit:bytes', 'per-user:rate', 'per-agent:rate', 'erasing', 'erasures',
    'k:' .. key_hash, ...}
  local shards, bytes, bytes_max, user_rate, agent_rate, erasing, erasures, key, limit, tat =
    unpack(redis.call('HMGET', KEYS[1], unpack(names)))
  return {shards = shards or '1', bytes = tonumber(bytes or 0), bytes_max = bytes_max, key = key, rate = limit,
    tat = tat, rates = {user = user_rate, agent = agent_rate}, erasing = erasing or '', erasures = erasures or '0'}
end
