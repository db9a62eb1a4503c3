-- Whether a key is valid, for operations that need nothing else from the store.
-- KEYS: tenant
-- ARGV: key hash
-- Reply: 'ok' | 'unauthorised'
if not is_authorised() then return {'unauthorised'} end
return {'ok'}
