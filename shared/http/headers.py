"""
Entity tags, the headers that say where an answer came from, and those that say what the rate allows.
"""

import math
import re
from functools import lru_cache

from shared.cache.tiered import Origin
from shared.conversations.provenance import Provenance
from shared.request.freshness import Tier
from shared.request.invocation import Invocation
from shared.request.permits import MINUTE_S, Rate

TAGS = re.compile(r'(?:W/)?("[^"]*")')
TAGS_MAX = 32

CACHE_STATUS = {
    Tier.L0: "Warmthread; hit; detail=L0",
    Tier.L1: "Warmthread; hit; fwd=stale; fwd-status=304; detail=L1",
    Tier.L2: "Warmthread; fwd=miss; stored; detail=L2",
    Tier.STALE: "Warmthread; hit; detail=STALE",
}
"""RFC 9211. A default read asks the store whether its copy is the newest: `fwd=stale`, and `304` when it is."""

PARTIAL_STATUS = "Warmthread; fwd=partial; stored; detail=L2"
"""Of what L2 answered where the instance held a part: only the rest was transferred."""

DOCUMENT_STATUS = {
    Origin.L1: CACHE_STATUS[Tier.L1],
    Origin.L2: "Warmthread; hit; detail=L2",
    Origin.SOURCE: "Warmthread; fwd=miss; detail=source",
    Origin.STALE: CACHE_STATUS[Tier.STALE],
}
"""A document that L2 has needs no source: a hit."""


def read_etags(header: str | None) -> frozenset[str]:
    """Return the tags of an If-None-Match *header*, weak ones as strong ones: GET compares weakly."""
    if not header:
        return frozenset()
    return frozenset(TAGS.findall(header)[:TAGS_MAX])


def provenance_headers(provenance: Provenance, etag: str) -> dict[str, str]:
    """Return the headers of an answer made from what *provenance* says, whose tag is *etag*."""
    return {"etag": etag, "age": str(int(provenance.age_s)), **tier_headers(provenance)}


def tier_headers(provenance: Provenance) -> dict[str, str]:
    """Return what says which tier answered."""
    return {"cache-status": PARTIAL_STATUS if provenance.is_partial else CACHE_STATUS[provenance.tier]}


def replay_headers(*, is_replay: bool) -> dict[str, str]:
    """Return what an answer says of a write that had been done before."""
    return {"idempotency-replayed": "true"} if is_replay else {}


def rate_headers(invocation: Invocation | None) -> dict[str, str]:
    """
    Return what the tenant's rate allows (draft-ietf-httpapi-ratelimit-headers-11), nothing for a tenant without one.

    Two policies say the same: `requests` over a minute, `burst` at once. What is left is the burst's. Those of a user
    or an agent follow where theirs has refused the request.
    """
    rate, slowed = (invocation.rate, invocation.slowed) if invocation else (None, None)
    rates = [("", rate)] if rate else []
    if slowed:
        rates.append((f"{slowed[0]}-", slowed[1]))
    if not rates:
        return {}
    return {
        "ratelimit-policy": ", ".join(_policy(of, each.burst, each.per_minute) for of, each in rates),
        "ratelimit": ", ".join(_left(of, each) for of, each in rates),
    }


@lru_cache
def _policy(of: str, burst: int, per_minute: int) -> str:
    burst_s = math.ceil(burst * MINUTE_S / per_minute)
    return f'"{of}burst";q={burst};w={burst_s}, "{of}requests";q={per_minute};w={MINUTE_S}'


def _left(of: str, rate: Rate) -> str:
    return f'"{of}burst";r={rate.left};t={math.ceil(rate.refill_s if rate.granted else rate.wait_s)}'


def document_headers(origin: Origin, age_s: float, etag: str) -> dict[str, str]:
    """Return the headers of a document with *etag*, which its source named *age_s* ago."""
    return {"etag": etag, "age": str(int(age_s)), "cache-status": DOCUMENT_STATUS[origin]}
