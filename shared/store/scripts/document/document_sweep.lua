-- Carry out what a sweep found, where nothing has happened since it looked.
-- @keyless
-- @include keeping
-- KEYS: marks of the scope
-- ARGV: now_ms, then path, mark that the sweep saw, verdict, …
--       'changed': outdated; 'gone': nothing needs this mark
-- Reply: 'ok', how many marks were as the sweep saw them
-- Each verdict stands for itself: one that was not carried out is found again by the next sweep.
local paths = {}
for i = 2, #ARGV, 3 do paths[#paths + 1] = ARGV[i] end
local marks = redis.call('HMGET', KEYS[1], unpack(paths))
local set, gone, count = {}, {}, 0
for i, path in ipairs(paths) do
  local seen, verdict = ARGV[i * 3], ARGV[i * 3 + 1]
  if marks[i] == seen then
    count = count + 1
    if verdict == 'gone' then
      gone[#gone + 1] = path
    else
      set[#set + 1] = path
      set[#set + 1] = outdated(seen, ARGV[1])
    end
  end
end
if #set > 0 then redis.call('HSET', KEYS[1], unpack(set)) end
if #gone > 0 then redis.call('HDEL', KEYS[1], unpack(gone)) end
return {'ok', text(count)}
