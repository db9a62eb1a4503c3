-- Append, and read what the context for the next model call is chosen from. Besides what append.lua takes:
-- @include adding, append_reading
-- KEYS: …, marks of the tenant's documents, books of user and agent
-- ARGV: …, what read.lua takes behind the hash of the key, what whose.lua takes
-- Reply: as append.lua; where that is 'ok', then also the reply of read.lua and the heads of the new entries
-- The entries that are read end where the batch begins: its sender has those of the batch, but for their heads. What
-- the reply says of the conversation otherwise is how it is now. A batch that was there already is read like all else,
-- and there are no heads.
return append_and_read(KEYS, ARGV, {unpack(KEYS, 1, #KEYS - 1)}, {unpack(ARGV, 1, #ARGV - READER)})
