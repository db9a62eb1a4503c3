-- Read, and set aside what the model call that it is read for may use. Besides what read.lua takes:
-- @include members, reservation, reading
-- KEYS: …, record of the attempt (only with a fingerprint), live reservations, records, books of user and agent
-- ARGV: …, fingerprint ('' without an Idempotency-Key), record_s, id, life_s, kept_s, live_max, model ('-' for none),
--       input tokens, output tokens, then what whose.lua takes of the conversation
-- Reply: as read.lua, then {reply of reserve in reservation.lua} | what it refuses
--        | 'owner', …, 'slow', …: as whose.lua
local whose = take_whose()
local fingerprint, record_s, id, life_s, kept_s, live_max, model, input, output = unpack(ARGV, #ARGV - 8)
local log = open_recalling(KEYS, ARGV)
local refusal = log and (refusal_of_owners(log.header, whose.user, whose.agent) or slowed(whose))
if refusal then return refusal end
local reply = read(KEYS, ARGV, log)
if reply[1] ~= 'ok' then return reply end
local reserved = reserve({tenant = KEYS[1], live = KEYS[#KEYS - 1], records = KEYS[#KEYS],
  attempt = fingerprint ~= '' and KEYS[#KEYS - 2] or nil, whose = whose}, {
  fingerprint = fingerprint, record_s = record_s, id = id, life_s = tonumber(life_s), kept_s = tonumber(kept_s),
  live_max = tonumber(live_max), model = model, input = tonumber(input), output = tonumber(output)})
if reserved[1] ~= 'ok' then return reserved end
reply[#reply + 1] = reserved
return reply
