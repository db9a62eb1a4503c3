-- Take out of a conversation what is neither an item that lives nor a summary. What stays moves up, and the history
-- becomes another one: whoever holds the old one reads anew.
-- @include compaction, erasing
-- KEYS: tenant, conversation, where to build what it becomes, rows
-- ARGV: key hash, generation to give it, '1' to do it however little there is to take out, now_s,
--       for how long it is known which batches were applied, conversation id, shards
-- Reply: 'ok', generation, version, chain hash, created_at, metadata, entries taken out,
--        '1' if terms are lacking, what told.lua tells of it | 'unauthorised' | 'erasing'
--        | 'shards', how many | 'unknown'
-- Content, tokens and the version stay; so do the ids of deleted items, which are never used again and from which a
-- page may start: their places are from then on half-way between two others.
if owner.erasing ~= '' then
  local fenced = refusal_of_erasing(redis.call('HGET', KEYS[2], 'us'))
  if fenced then return fenced end
end
return compact(KEYS, ARGV, function() return owner.shards end)
