-- A document as the tiers keep it. Who asks was confirmed before: this runs for requests and for crons alike.
-- @keyless
-- @reads
-- KEYS: marks of the scope, document
-- ARGV: path, entity tag that the reader holds ('' for none)
-- Reply: 'ok', mark ('' for none), then the fields of the document, nothing if there is none or the reader holds it
local mark = redis.call('HGET', KEYS[1], ARGV[1]) or ''
local etag = redis.call('HGET', KEYS[2], 'etag')
if not etag or etag == ARGV[2] then return {'ok', mark} end
return {'ok', mark, redis.call('HGETALL', KEYS[2])}
