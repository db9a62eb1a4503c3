-- Whose a conversation is inside a tenant, and the sorted sets in which it stands for that (members_key).
-- @part
-- @include index, text
--
-- The conversation's hash is what is true: `us` its user, `ag` its agent. A set and a row only lead to it. So a place
-- in a set is made before the conversation says so, behind a row in doubt that tells the sweep of it, and goes after
-- it; one that the row contradicts, or that has no row, is asked about (repair.lua). The names of the sets come from
-- those of user and agent, which a caller may not know: it tells whom it believes, and is told who it is where that is
-- wrong.

-- What to reply to a caller who believes a conversation, as *header* says it, to be of *user* and *agent*; nil where
-- that is so.
local function refusal_of_owners(header, user, agent)
  local its_user, its_agent = header.us or '', header.ag or ''
  if its_user ~= user or its_agent ~= agent then return {'owner', its_user, its_agent} end
end

-- The sets of *user* and *agent*, '' for none, which stand in KEYS from *at* on; and what stands behind them.
local function sets_of(KEYS, at, user, agent)
  local sets = {}
  for _, name in ipairs({user, agent}) do
    if name ~= '' then sets[#sets + 1], at = KEYS[at], at + 1 end
  end
  return sets, at
end

-- Puts a conversation into *sets*; *header* says when it was made.
local function join(sets, id, header)
  for _, set in ipairs(sets) do redis.call('ZADD', set, text(created_us(header.c, header)), id) end
end

-- Whose the *rows* of a conversation, in one shard or in two, say that it is: like a header.
local function owners_by_rows(rows, id)
  for _, name in ipairs(rows) do
    local mark, _, _, _, _, _, owned = read_row(redis.call('HGET', name, id) or '')
    if mark and (owned.us ~= '' or owned.ag ~= '') then return owned end
  end
  return {}
end
