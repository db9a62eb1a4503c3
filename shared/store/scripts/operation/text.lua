-- Numbers leave as text: a Lua number would be cut to an integer, or printed as 1e+15.
-- @part
local function text(number)
  return string.format('%.0f', number)
end
