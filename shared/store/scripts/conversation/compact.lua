-- Take out of a conversation what is neither an item that lives nor a summary. What stays moves up, and the history
-- becomes another one: whoever holds the old one reads anew.
-- @include compaction
-- KEYS: tenant, conversation
-- ARGV: key hash, generation to give it, '1' to do it however little there is to take out,
--       how many entries share a field of kept counts, then the encodings whose counts may be kept
-- Reply: 'ok', generation, version, created_at, metadata, entries taken out | 'unauthorised' | 'unknown'
-- Content, tokens and the version stay; so do the ids of deleted items, which are never used again and from which a
-- page may start: their places are from then on half-way between two others.
return compact(KEYS, ARGV)
