-- Keep a document's count in one encoding with it, if it still is the document that was counted.
-- @keyless
-- KEYS: document
-- ARGV: entity tag, encoding, tokens
-- Reply: 'ok' | 'late'
if redis.call('HGET', KEYS[1], 'etag') ~= ARGV[1] then return {'late'} end
redis.call('HSET', KEYS[1], 'n:' .. ARGV[2], ARGV[3])
return {'ok'}
