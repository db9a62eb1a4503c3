"""
The names of everything Warmthread keeps in Redis: one function per family, the schema's version first.

Every name holds the tenant, so that no operation can reach across tenants.
"""

SCHEMA = "wt1"


def tenant_key(tenant: str) -> str:
    """Hash: `k:<SHA-256 of an API key>` for each key that is valid."""
    return f"{SCHEMA}:{tenant}:tenant"


def conversation_key(tenant: str, conversation_id: str) -> str:
    """
    Hash of one conversation.

    `g` generation, `v` version, `h` chain hash, `n` live items, `w` tokens ever appended, `b` bytes of the entries,
    `p` pinned tokens, `pin` versions of pinned items, `u` version of the newest user message, `y` that of the newest
    summary, `d` tokens of deleted items, `e` expiry in seconds,
    `t` last use, `c` creation, `m` metadata; `<version>` each entry; `i:<item id>` its version;
    `docs` paths of the documents it mentions, one a line;
    `r` the last batches, each with the version after it (once.lua), `last` the newest append (append.lua);
    `q:<encoding>:<block>` counts kept for a second encoding.
    """
    return f"{SCHEMA}:{tenant}:conversation:{conversation_id}"


def activity_key(tenant: str) -> str:
    """Sorted set: the tenant's conversations by the time of their last write, in microseconds."""
    return f"{SCHEMA}:{tenant}:activity"


def metadata_key(tenant: str) -> str:
    """Hash: conversation id -> `<created_at> <expiry_s> <last use> <metadata>`."""
    return f"{SCHEMA}:{tenant}:metadata"


def attempt_key(tenant: str, name: str) -> str:
    """Text: what was replied to an operation that may be asked for twice (once.lua); *name* is a hash."""
    return f"{SCHEMA}:{tenant}:attempt:{name}"


def document_marks_key(scope: str) -> str:
    """
    Hash of a tenant's documents, or of those for all (scope `shared`, which no tenant is called): path -> mark.

    A mark is `<fence> <checked_at> <entity tag>`; the tag is '' after a notice and '-' for what does not exist.
    """
    return f"{SCHEMA}:{scope}:documents"


def document_key(scope: str, path: str) -> str:
    """Hash of one document: `etag`, `size`, `text`, or `why` it is no text; `n:<encoding>` its tokens."""
    return f"{SCHEMA}:{scope}:document:{path}"


def document_lease_key(scope: str, path: str) -> str:
    """Text: who loads a document at the moment."""
    return f"{SCHEMA}:{scope}:lease:{path}"


SCOPES_KEY = f"{SCHEMA}::scopes"
"""Set: the scopes that have marks, for crons. No tenant has an empty name."""

HOT_KEY = f"{SCHEMA}::hot"
"""Sorted set: object paths by their decayed number of uses, as a logarithm (shared/documents/heat.py)."""


def cron_key(name: str) -> str:
    """Hash: lease and progress of a cron job (lease.lua)."""
    return f"{SCHEMA}::cron:{name}"
