-- Append, settle and read: append_settle.lua and append_read.lua in one step.
-- @include settling, adding, append_reading
-- KEYS, ARGV: as append.lua, then what append_settle.lua takes besides, then what append_read.lua does, but for books
--       and what whose.lua takes: these stand behind all
-- Reply: as append_read.lua, or what append_settle.lua refuses
local settled_keys, settled_arguments = {unpack(KEYS, 1, #KEYS - 1)}, {unpack(ARGV, 1, #ARGV - READER)}
local own_keys = {unpack(settled_keys, 1, #settled_keys - 2)}
local own_arguments = {unpack(settled_arguments, 1, #settled_arguments - 4)}
return append_and_read(KEYS, ARGV, own_keys, own_arguments, settling(settled_keys, settled_arguments))
