"""
Stores that speak Redis' own protocol, RESP: Redis 7, Valkey, ElastiCache, MemoryDB, and clusters of those.

    RespTransport    carries commands, as a Transport; follows a cluster's redirections (transport.py)
    Slots            which server of a cluster has which slot (slots.py)
    Server           one server and the connections to it, an exchange at a time on each (server.py, connection.py)

Nothing here is imported unless WARMTHREAD_STORE_URL is set: it needs libvalkey, of requirements-resp.txt.
"""
