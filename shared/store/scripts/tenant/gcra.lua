-- Permits of a rate.
-- @part
-- @include text
--
-- GCRA: *tat* is the time at which the burst will be whole again, in us of the store's clock; a permit moves it by one
-- interval, and it may lie a burst ahead. Rounded up, so that never more is granted than the rate earns.
-- Source: ITU-T I.371, the virtual scheduling algorithm.

-- Permits of the rate *limit*, '<per minute> <burst>': as many as are *wanted*, or as there are, but not fewer than
-- *least*; where that is more than a burst, all of a burst. *now*: in us.
-- Returns how many are granted, 0 for none; what tat becomes, nil where it stays; what is told of it: {rate per minute,
-- burst, permits granted, permits left, us until there are enough, us until the burst is whole again}.
local function granted_of(limit, tat, now, wanted, least)
  local per_minute, burst = string.match(limit, '^(%d+) (%d+)$')
  local interval = 60000000 / tonumber(per_minute)
  local whole = math.ceil(interval * tonumber(burst))
  local ahead = math.max(tonumber(tat or 0) - now, 0)
  -- Never more than a burst ahead: the store's clock was set back, or the rate changed.
  local becomes = ahead > whole and text(now + whole) or nil
  ahead = math.min(ahead, whole)
  least = math.min(least, tonumber(burst))
  local there = math.max(0, math.floor((whole - ahead) / interval))
  if there < least then
    local wait = math.max(1, math.ceil(ahead + least * interval - whole))
    return 0, becomes, {per_minute, burst, '0', text(there), text(wait), text(ahead)}
  end
  local granted = math.min(math.max(wanted, least), there)
  ahead = ahead + math.ceil(granted * interval)
  local left = math.max(0, math.floor((whole - ahead) / interval))
  return granted, text(now + ahead),
    {per_minute, burst, text(granted), text(left), left > 0 and '0' or text(math.ceil(interval)), text(ahead)}
end

-- The store's clock, in us.
local function now_micros()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end
