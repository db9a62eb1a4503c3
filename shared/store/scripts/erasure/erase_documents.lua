-- Forget documents: marks, copies, leases. What the object store has of them stays there, and is loaded anew by whoever
-- asks for it; a load that is under way keeps nothing, for its fence is gone.
-- @keyless
-- @include text
-- KEYS: marks of the scope, then document and lease of each
-- ARGV: paths
-- Reply: 'ok', how many names were taken away
redis.call('HDEL', KEYS[1], unpack(ARGV))
return {'ok', text(redis.call('UNLINK', unpack(KEYS, 2)))}
