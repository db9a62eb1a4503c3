-- What a conversation remembers of its last batches.
-- @part

-- Field r of a conversation: '<batch> <version after it>;' of its last 32 batches. A batch is named by the first 16
-- digits of its seed. The store's own client sends a batch again when its answer was lost.
local function batch_of(seed)
  return string.sub(seed, 1, 16)
end

local function version_after(recent, seed)
  return recent and string.match(recent, batch_of(seed) .. ' (%d+);')
end

local function with_batch(recent, seed, version)
  local batches = (recent or '') .. batch_of(seed) .. ' ' .. version .. ';'
  local _, count = string.gsub(batches, ';', '')
  return count > 32 and string.match(batches, ';(.*)$') or batches
end
