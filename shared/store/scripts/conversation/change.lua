-- How an operation that writes to a conversation knows what was done before, and how it ends.
-- @part
-- @include batches, charge, erasing, index, members, once, room, text, told
--
-- Redis takes nothing back, and any command of a script may be refused. So an operation is one HSET of the
-- conversation, its last write but for one: what is written before it means nothing without it, and what comes behind
-- it can be made up for. That HSET also sets `b:<batch>`, by which the operation is known when it comes again.

-- What every such operation has in ARGV behind the hash of the key.
local seed, fingerprint, record_s, expected, now_us, conversation_id, shards = unpack(ARGV, 2, 8)
local now_s = string.sub(now_us, 1, -7)
-- Its caller has to name the indexes anew.
if shards ~= owner.shards then return {'shards', owner.shards} end

local NO_METADATA = '{}'

-- What a batch is called.
local function batch_of(any_seed)
  return string.sub(any_seed, 1, 16)
end
local batch = batch_of(seed)

-- What is known of this operation: *kept*, the reply that its Idempotency-Key stands for, nil without one; what to
-- reply when the key stands for something else. *names*: the fields of the conversation that are wanted; those that say
-- whether it was done are added.
local function look_back(record, names)
  local kept = recall(record, fingerprint)
  names[#names + 1] = 'b:' .. batch
  if owner.erasing ~= '' then names[#names + 1] = 'us' end
  if not kept then return nil, nil end
  if kept[1] == 'reused' then return nil, kept end
  names[#names + 1] = 'b:' .. batch_of(kept[2])
  return kept, nil
end

-- A record outlives what it tells of, so it holds no text of a client: '{}' in the place of metadata, and no id of what
-- a fork is of. What was replied, with these as the *header* says them now; as it is where there is no conversation.
local function with_texts(kept, header)
  if not header.v then return kept end
  local reply = {}
  for i, part in ipairs(kept) do reply[i] = part == NO_METADATA and header.m or part end
  if header.f and lacks_source(reply[#reply]) then reply[#reply] = reply[#reply] .. header.f end
  return reply
end

-- The same the other way round: *reply* without *metadata*, told of a conversation that is a fork of *forked_from*.
local function without_texts(reply, metadata, forked_from)
  local kept = {}
  for i, part in ipairs(reply) do kept[i] = part == metadata and NO_METADATA or part end
  if forked_from and forked_from ~= '' then kept[#kept] = string.sub(kept[#kept], 1, -1 - #forked_from) end
  return kept
end

-- What was replied when this operation was done, nil when it was not, or ended half-way: a reply is kept before it
-- comes true. Where the conversation has gone since, nothing can contradict it. …: what the operation adds
-- to its reply.
local function replayed(kept, header, ...)
  if kept and (not header.v or header['b:' .. batch_of(kept[2])]) then return with_texts(kept, header) end
  local version, chain = string.match(header['b:' .. batch] or '', '^(%d+) (%x*) ')
  return version and {'ok', seed, header.g, version, chain, ...}
end

-- When this operation was done, nil when it was not.
local function done_at(header)
  return string.match(header['b:' .. batch] or '', '(%d+)$')
end

-- The chain hash of the entry at *place*: of all that precedes it, of its batch and of its place.
local function linked(chain, place)
  return string.sub(redis.sha1hex(chain .. batch .. place), 1, 16)
end

-- What the caller is told whose versions are none of this one.
local function moved(header)
  return {'moved', header.g, header.v, header.h}
end

-- The end of an operation that changes a conversation. change: the names *conversation*, *activity*, *rows* of its
-- shard, *record* (nil without an Idempotency-Key); what has become of *generation*, *version* and *bytes* (numbers),
-- *chain*, *expiry*; *bytes_before*; *created*, *used*, *metadata* and *owned*, a header that says whose it is, where
-- the row changes. *is_new*: nothing is there yet. *expiry_before*: what the expiry was, where it changes. *joins*,
-- *leaves*: the sets of users and agents that it comes into, and goes from (members.lua). *told*: where the reply tells
-- of the conversation behind all else, a header of its sums as they have become, and of whose it is (told.lua).
-- *shown*: the metadata in the reply, where it has any. fields: what else to set, name, value, …; all that was set
-- stands in it afterwards.
-- Reply: 'ok', seed, generation, version, chain, and what the operation adds; `replayed` finds it.
local function commit(change, fields, ...)
  local conversation, version, bytes = change.conversation, text(change.version), text(change.bytes + BATCH_BYTES)
  local reply = {'ok', seed, change.generation, version, change.chain, ...}
  local told = change.told
  if told then
    told.b, told.t, told.e = bytes, now_s, change.expiry
    reply[#reply + 1] = told_of(told)
  end
  local line = change.metadata
    and row(change.created, change.expiry, now_s, bytes, change.metadata, change.owned)
  remember(change.record, fingerprint, record_s, without_texts(reply, change.shown, told and told.f))
  charge(conversation_id, change.bytes_before, change.bytes + BATCH_BYTES)
  redis.call('ZADD', change.activity, now_us, conversation_id)
  if line then redis.call('HSET', change.rows, conversation_id, PENDING .. line) end
  -- Behind the row, which tells the sweep of these sets.
  if change.joins then join(change.joins, conversation_id, change.owned) end
  -- Before it is done, what expires may come to live longer than it should, never shorter.
  local before = change.expiry_before or change.expiry
  local is_shorter = change.expiry ~= '0' and (before == '0' or tonumber(before) > tonumber(change.expiry))
  local lasting = is_shorter and before or change.expiry
  if lasting ~= '0' then
    -- Only what exists can expire; without a version it is no conversation.
    if change.is_new then redis.call('HSET', conversation, 'c', change.created) end
    redis.call('EXPIRE', conversation, lasting)
  elseif before ~= '0' then
    redis.call('PERSIST', conversation)
  end
  for _, part in ipairs({'v', version, 'h', change.chain, 'b', bytes, 't', now_s,
    'b:' .. batch, version .. ' ' .. change.chain .. ' ' .. now_s}) do
    fields[#fields + 1] = part
  end
  redis.call('HSET', conversation, unpack(fields))
  if is_shorter then redis.pcall('EXPIRE', conversation, change.expiry) end
  -- It is done: a row that stays in doubt is asked about by whoever meets it.
  if line then redis.pcall('HSET', change.rows, conversation_id, line) end
  for _, set in ipairs(change.leaves or {}) do redis.pcall('ZREM', set, conversation_id) end
  return told and with_owners(reply, told) or reply
end
