-- Whether a conversation is there, and at one of the versions that a caller expects.
-- @reads
-- @include fields, once
-- KEYS: tenant, conversation
-- ARGV: key hash, expected versions, shards
-- Reply: 'ok' | 'unauthorised' | 'shards', how many | 'unknown' | 'moved', generation, version, chain hash
if ARGV[3] ~= owner.shards then return {'shards', owner.shards} end
local header = fields_of(KEYS[2], {'v', 'h', 'g'})
if not header.v then return {'unknown'} end
if has_moved(ARGV[2], header) then return {'moved', header.g, header.v, header.h} end
return {'ok'}
