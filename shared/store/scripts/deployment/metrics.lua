-- Add what one instance counted to what its deployment did. Twice is twice.
-- @keyless
-- @include text
-- KEYS: series of the deployment, deployments by their last sign of life
-- ARGV: deployment, now in Unix seconds, expiry_s, window_s, how many series and deployments there may be, how many
--       counters follow, and how many maxima; field and increase of each counter, field and value of each maximum, then
--       field, time and value of each of which the latest is kept
-- Reply: 'ok', how many series found no room
-- The field `seen` says when the expiry was last put off: once an hour will do. A maximum is kept as
-- '<window> <its maximum> <that of the window before>', a latest as '<time> <value>'. The counters are written last:
-- they are added, or they are not.
local now, series_max = tonumber(ARGV[2]), tonumber(ARGV[5])
local window = math.floor(now / tonumber(ARGV[4]))
local counters, maxima = tonumber(ARGV[7]), tonumber(ARGV[8])
local fields, at = {'seen'}, {}

local function read_fields(first, last, step)
  for i = first, last, step do
    fields[#fields + 1] = ARGV[i]
    at[#fields] = i + 1
  end
end
local latest = 9 + 2 * (counters + maxima)
read_fields(9, latest - 1, 2)
read_fields(latest, #ARGV, 3)

local function maximum(old, value)
  local held_window, newest, before = string.match(old or '', '^(%d+) (%d+) (%d+)$')
  held_window, newest, before = tonumber(held_window or 0), tonumber(newest or 0), tonumber(before or 0)
  local current = window
  if current > held_window then
    newest, before = value, current == held_window + 1 and newest or 0
  else
    current, newest = held_window, math.max(newest, value)
  end
  return text(current) .. ' ' .. text(newest) .. ' ' .. text(before)
end

local function later(old, time, value)
  local held_time = tonumber(string.match(old or '', '^(%d+) %d+$') or 0)
  return held_time > tonumber(time) and old or time .. ' ' .. value
end

local held = redis.call('HMGET', KEYS[1], unpack(fields))
local changed, room, left_out = {}, nil, 0
for i = 2, #fields do
  local value, fits = ARGV[at[i]], true
  if not held[i] then
    room = (room or series_max - redis.call('HLEN', KEYS[1])) - 1
    fits = room >= 0
  end
  if fits then
    changed[#changed + 1] = fields[i]
    if i - 1 <= counters then
      changed[#changed + 1] = text(tonumber(held[i] or 0) + tonumber(value))
    elseif i - 1 <= counters + maxima then
      changed[#changed + 1] = maximum(held[i], tonumber(value))
    else
      changed[#changed + 1] = later(held[i], value, ARGV[at[i] + 1])
    end
  else
    left_out = left_out + 1
  end
end
local is_renewed = not held[1] or math.abs(now - tonumber(held[1])) >= 3600
if is_renewed then
  changed[#changed + 1] = 'seen'
  changed[#changed + 1] = ARGV[2]
end
if is_renewed then
  -- Only what exists can expire.
  if not held[1] then redis.call('HSET', KEYS[1], 'seen', 0) end
  redis.call('EXPIRE', KEYS[1], ARGV[3])
  redis.call('ZADD', KEYS[2], now, ARGV[1])
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - tonumber(ARGV[6]))
  redis.call('EXPIRE', KEYS[2], ARGV[3])
end
if #changed > 0 then redis.call('HSET', KEYS[1], unpack(changed)) end
return {'ok', text(left_out)}
