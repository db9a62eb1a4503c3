"""How tests leave a conversation sparse."""

PADDING = 160
PAD = """
local header = redis.call('HMGET', KEYS[1], 'v', 'h', 'w', 'o', 'm')
local version, chain, removed = tonumber(header[1]), header[2], tonumber(header[4] or 0)
for _ = 1, tonumber(ARGV[1]) do
  version = version + 1
  chain = string.sub(redis.sha1hex(chain .. version), 1, 16)
  local entry = chain .. ' ' .. header[3] .. ' m []\\n' .. header[5]
  redis.call('HSET', KEYS[1], string.format('%.0f', version - removed), entry, 'h', chain)
end
redis.call('HSET', KEYS[1], 'v', string.format('%.0f', version))
"""
"""As if metadata had been replaced by the same so many times, and each time nothing was done after the response."""
