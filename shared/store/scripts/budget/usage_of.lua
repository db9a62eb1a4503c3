-- What one user, or one agent, has used and reserved in this day and month, and how many conversations are theirs.
-- @reads
-- @include shown
-- KEYS: tenant, the conversations of the user or agent, its book
-- ARGV: key hash, then what whose.lua takes, of the one of them
-- Reply: as shown.lua, with how many there are
-- What has run out is not reserved any more, though nobody has given it back yet. This script writes nothing.
local whose = take_whose()
local tenant = open_tenant(KEYS[1], now_seconds(), {}, whose)
local other = open_others(tenant, whose, {}, tenant)[1]
if may_be_past(other) then each_past(other, nil, function(ids) learn(other, KEYS[1], ids) end) end
return shown_usage(other, text(redis.call('ZCARD', KEYS[2])))
