-- Which batches were applied to a conversation: fields `b:<batch>`, '<version> <chain hash> <time>' after each.
-- @part
-- @include text

-- What a batch is charged that is remembered, about.
local BATCH_BYTES = 64

local BATCHES_AT_ONCE = 4000

-- Hands each of them to take(name, value), once. It looks at all fields there are.
local function each_batch(conversation, take)
  local cursor, taken, some = '0', {}, nil
  repeat
    cursor, some = unpack(redis.call('HSCAN', conversation, cursor, 'MATCH', 'b:*', 'COUNT', text(BATCHES_AT_ONCE)))
    for i = 1, #some, 2 do
      if not taken[some[i]] then take(some[i], some[i + 1]) end
      taken[some[i]] = true
    end
  until cursor == '0'
end
