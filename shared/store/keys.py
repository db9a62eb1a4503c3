"""
The names of everything Warmthread keeps in Redis: one function per family, the schema's version first.

Every name holds the tenant, so that no operation can reach across tenants, in braces: what a cluster keeps together.
What belongs to no tenant has a tag of its own, or none. No script takes names of two tags.
"""

import re
from hashlib import sha256

SCHEMA = "wt2"

MADE_ID = re.compile("conv_[0-9a-f]{48}")
"""Ids of conversations that the service made (shared/store/attempts.py); others are a client's words."""

DIGEST_DIGITS = 32
"""Of a SHA-256, in the place of a name that is a client's words."""


def digest(text: str) -> str:
    """Return what stands for a client's *text* in names."""
    return sha256(text.encode(errors="surrogatepass")).hexdigest()[:DIGEST_DIGITS]


def tenant_key(tenant: str) -> str:
    """
    Hash of one tenant.

    `k:<SHA-256 of an API key>` when each valid key ends, in Unix seconds, `0` for never, and its role, where that is
    not `full` (validity.lua); `rate` requests a minute and
    burst, `tat` when the burst is whole again (admit.lua); `limit:<tokens or usd>-<day or month>` budgets,
    `price:<model>` prices of a million tokens of input and output, money in micro-USD; `w:<day or month>` what is used
    and reserved in it, `u:<month>` what each model used, `ws` the windows there are (budget.lua); `r:<id>` each
    reservation that is live (reservation.lua); `shards` how the indexes are spread (index.lua); `bytes` what its
    conversations take, about (charge.lua), `limit:bytes` what they may (room.lua); `per-user:rate`,
    `per-user:limit:…` limits of each user by itself, `per-agent:…` of each agent (whose.lua, spender.lua); `erasures`
    how often anything was erased, from the time at which the tenant was made on (shared/request/erasures.py).
    """
    return f"{SCHEMA}:{{{tenant}}}:tenant"


def tenant_of_name(name: str) -> str:
    """Return whose a *name* is."""
    return name[name.index("{") + 1 : name.index("}")]


def conversation_key(tenant: str, conversation_id: str) -> str:
    """
    Hash of one conversation.

    `g` generation, `v` version, `o` entries that compaction took out, `h` chain hash, `n` live items, `w` tokens ever
    appended, `d` those of deleted items, `b` bytes of the entries, `p` pinned tokens, `e` expiry in seconds, `t` last
    use, `c` creation, `m` metadata, `f` the id of what it was forked from, `im` hashes of the first and the last part
    that it was imported of, `us` its user, `ag` its agent, `cu` the microseconds of its creation behind `c` where it
    was made for one of these; `<place>` each entry, its version less `o`; `i:<item id>` its place, half-way between two
    others for an item that is gone (compaction.lua), `x` a list of those; `pin` places of pinned items, `y` that of the
    newest summary; `docs` paths of the documents it mentions, one a line; `b:<batch>` the version, chain hash and time
    after a batch (change.lua), `last` the newest append (appending.lua); `q:<encoding>:<block>` counts kept for a
    second encoding.
    """
    return f"{SCHEMA}:{{{tenant}}}:conversation:{conversation_id}"


def built_key(tenant: str) -> str:
    """Hash: the conversation that a script builds, until it gets its own name with the script's last write."""
    return f"{SCHEMA}:{{{tenant}}}:built"


def import_key(tenant: str, conversation_id: str) -> str:
    """
    Hash: a conversation of which parts were imported, as conversation_key, until it gets that name with the last part;
    for a day (import_part.lua).
    """
    return f"{SCHEMA}:{{{tenant}}}:import:{conversation_id}"


def importing_key(tenant: str, user: str) -> str:
    """Sorted set: the conversations of one user of which parts were imported, by the second of the newest part."""
    return f"{SCHEMA}:{{{tenant}}}:importing:{digest(user)}"


def left_key(tenant: str, mark: str) -> str:
    """
    Text: what is left of a deleted conversation for a day: `<seed> <time of its creation> <time of its last write>`,
    both in microseconds (delete.lua); *mark* is `mark_of` its id.
    """
    return f"{SCHEMA}:{{{tenant}}}:left:{mark}"


def mark_of(conversation_id: str) -> str:
    """Return what stands for a conversation where it is no more: an id that a client chose is a client's words."""
    return conversation_id if MADE_ID.fullmatch(conversation_id) else digest(conversation_id)


def erased_key(tenant: str, user: str) -> str:
    """Text: what became of the newest erasure of a *user*, by the digest of its name, for a day (erase_end.lua)."""
    return f"{SCHEMA}:{{{tenant}}}:erased:{user}"


def mentioned_key(tenant: str, user: str) -> str:
    """Set: documents that conversations mentioned which are erased of a *user*, by digest, until that is done."""
    return f"{SCHEMA}:{{{tenant}}}:mentioned:{user}"


def activity_key(tenant: str, shard: int) -> str:
    """Sorted set: conversations of one shard by the time of their last write, in microseconds (index.lua)."""
    return f"{SCHEMA}:{{{tenant}}}:activity:{shard}"


def rows_key(tenant: str, shard: int) -> str:
    """
    Hash: conversation id -> `<created_at> <expiry_s> <last use> <bytes> <metadata>`, of one shard; another form for one
    that has a user or an agent (index.lua).
    """
    return f"{SCHEMA}:{{{tenant}}}:rows:{shard}"


def members_key(tenant: str, kind: str, name: str) -> str:
    """
    Sorted set: the conversations of one user or one agent (*kind* `user` or `agent`) by their creation, in microseconds
    (members.lua). Its name has of theirs a hash only: it is no longer than others, and says nothing of who they are.
    """
    return f"{SCHEMA}:{{{tenant}}}:of:{kind}:{digest(name)}"


def attempt_key(tenant: str, name: str) -> str:
    """Text: what was replied to an operation that may be asked for twice (once.lua); *name* is a hash."""
    return f"{SCHEMA}:{{{tenant}}}:attempt:{name}"


def reservations_key(tenant: str) -> str:
    """Sorted set: by its end, the id of each reservation that may be live (reservation.lua)."""
    return f"{SCHEMA}:{{{tenant}}}:reservations"


def spending_key(tenant: str, kind: str, name: str) -> str:
    """
    Hash: what one user or one agent (*kind* `user` or `agent`) used and reserved, as in tenant_key: `w:`, `u:`, `ws`,
    `r:<id>`, and `tat` of its rate; `ends`, by when one of its `r:` may have run out (spender.lua); `day`, when it was
    said last that it expires, 70 days later (whose.lua).
    """
    return book_name(tenant, kind, digest(name))


def book_name(tenant: str, kind: str, digest: str) -> str:
    """Return the name of that hash by the digest of the user or agent."""
    return f"{SCHEMA}:{{{tenant}}}:spent:{kind}:{digest}"


def reservation_records_key(tenant: str, hour: str) -> str:
    """Hash: reservation id -> what became of it, of those made in one *hour*; it goes away as a whole."""
    return f"{SCHEMA}:{{{tenant}}}:reservations:{hour}"


def document_marks_key(scope: str) -> str:
    """
    Hash of a tenant's documents, or of those for all (scope `shared`, which no tenant is called): path -> mark.

    A mark is `<fence> <checked_at> <entity tag>`; the tag is '' after a notice and '-' for what does not exist.
    """
    return f"{SCHEMA}:{{{scope}}}:documents"


def document_key(scope: str, path: str) -> str:
    """Hash of one document: `etag`, `size`, `text`, or `why` it is no text; `n:<encoding>` its tokens."""
    return f"{SCHEMA}:{{{scope}}}:document:{path}"


def document_lease_key(scope: str, path: str) -> str:
    """Text: who loads a document at the moment."""
    return f"{SCHEMA}:{{{scope}}}:lease:{path}"


SCOPES_KEY = f"{SCHEMA}::scopes"
"""Set: the scopes that have marks, for crons. No tenant has an empty name."""

TENANTS_KEY = f"{SCHEMA}::tenants"
"""Hash: each tenant for whom a key was made -> how far the sweep is (shared/conversations/sweep.py), '' at first."""

HOT_KEY = f"{SCHEMA}::hot"
"""Sorted set: object paths by their decayed number of uses, as a logarithm (shared/documents/heat.py)."""


METRICS_KEY = f"{SCHEMA}::{{:metrics}}"
"""Sorted set: the deployments that counted something, by the time of their last sign of life."""


def metrics_key(deployment: str) -> str:
    """Hash: what the instances of one deployment counted, by series (shared/telemetry/series.py)."""
    return f"{METRICS_KEY}:{deployment}"


def cron_key(name: str) -> str:
    """Hash: lease and progress of a cron job (lease.lua)."""
    return f"{SCHEMA}::cron:{name}"
