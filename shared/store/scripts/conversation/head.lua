-- What a conversation is, without its items.
-- @reads
-- @include fields
-- KEYS: tenant, conversation
-- ARGV: key hash
-- Reply: 'ok', created_at, metadata, {g, v, e, t} | 'unauthorised' | 'unknown'
local header = fields_of(KEYS[2], {'c', 'm', 'g', 'v', 'e', 't'})
if not header.v then return {'unknown'} end
return {'ok', header.c, header.m, {header.g, header.v, header.e, header.t}}
