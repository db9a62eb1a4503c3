-- What stands beside conversations that are to be erased.
-- @reads
-- KEYS: tenant, conversations
-- ARGV: key hash
-- Reply: 'ok', the agent of each, '' for none | 'unauthorised'
local agents = {}
for at = 2, #KEYS do agents[at - 1] = redis.call('HGET', KEYS[at], 'ag') or '' end
return {'ok', agents}
