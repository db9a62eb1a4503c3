-- Take out of a conversation what is neither an item that lives nor a summary. What stays moves up, and the history
-- becomes another one: whoever holds the old one reads anew.
-- @include compaction
-- KEYS: tenant, conversation, where to build what it becomes
-- ARGV: key hash, generation to give it, '1' to do it however little there is to take out, now_s,
--       for how long it is known which batches were applied
-- Reply: 'ok', generation, version, chain hash, created_at, metadata, entries taken out | 'unauthorised' | 'unknown'
-- Content, tokens and the version stay; so do the ids of deleted items, which are never used again and from which a
-- page may start: their places are from then on half-way between two others.
return compact(KEYS, ARGV)
