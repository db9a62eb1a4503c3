-- When compaction is worth its while, and what it leaves behind.
-- @part

-- Whether so many entries are none that live that compaction is worth its while. The summary counts among them.
local function is_sparse(entries, live)
  return entries >= 64 and 2 * live < entries
end

-- What an id is charged that is kept, twice, after compaction took its item out (compaction.lua).
local function gone_bytes(id)
  return 2 * #id + 16
end
