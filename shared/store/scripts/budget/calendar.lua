-- Days and months of UTC by the store's clock.
-- @part

-- Days since 1970 as year and month. Source: Howard Hinnant, chrono-Compatible Low-Level Date Algorithms.
local function civil(days)
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  return yoe + era * 400 + (month <= 2 and 1 or 0), month, doy - math.floor((153 * mp + 2) / 5) + 1
end

local function windows_at(at_s)
  local year, month, day = civil(math.floor(at_s / 86400))
  return string.format('%04d%02d%02d', year, month, day), string.format('%04d%02d', year, month)
end

local function resets_at(at_s)
  local days = math.floor(at_s / 86400)
  local next_month = days
  local _, month = civil(days)
  repeat
    next_month = next_month + 1
    local _, then_month = civil(next_month)
  until then_month ~= month
  return (days + 1) * 86400, next_month * 86400
end

local function now_seconds()
  return tonumber(redis.call('TIME')[1])
end
