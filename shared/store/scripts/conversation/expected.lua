-- Whether a conversation is there, and at one of the versions that a caller expects.
-- @reads
-- @include erasing, fields, members, once
-- KEYS: tenant, conversation, then activity index and rows, of each shard it may stand in
-- ARGV: key hash, expected versions, shards, id of the conversation
-- Reply: 'ok' or 'unknown', its user, its agent: of one that is not there as its row says ('' for nobody)
--        | 'erasing' | 'unauthorised' | 'shards', how many | 'moved', generation, version, chain hash
if ARGV[3] ~= owner.shards then return {'shards', owner.shards} end
local header = fields_of(KEYS[2], {'v', 'h', 'g', 'us', 'ag'})
local fenced = refusal_of_erasing(header.us)
if fenced then return fenced end
if header.v and has_moved(ARGV[2], header) then return {'moved', header.g, header.v, header.h} end
local owned = header.v and header or owners_by_rows({KEYS[4], KEYS[6]}, ARGV[4])
return {header.v and 'ok' or 'unknown', owned.us or '', owned.ag or ''}
