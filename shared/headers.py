"""
Entity tags and the headers that say where an answer came from.
"""

import re

from shared.conversations.freshness import Tier
from shared.conversations.source import Source

TAGS = re.compile(r'(?:W/)?("[^"]*")')
TAGS_MAX = 32

CACHE_STATUS = {
    Tier.L0: "Warmthread; hit; detail=L0",
    Tier.L1: "Warmthread; hit; fwd=stale; fwd-status=304; detail=L1",
    Tier.L2: "Warmthread; fwd=miss; stored; detail=L2",
    Tier.STALE: "Warmthread; hit; detail=STALE",
}
"""RFC 9211. A default read asks the store whether its copy is the newest: `fwd=stale`, and `304` when it is."""


def read_etags(header: str | None) -> frozenset[str]:
    """Return the tags of an If-None-Match *header*, weak ones as strong ones: GET compares weakly."""
    if not header:
        return frozenset()
    return frozenset(TAGS.findall(header)[:TAGS_MAX])


def source_headers(source: Source, etag: str) -> dict[str, str]:
    """Return the headers of an answer made from *source*, whose tag is *etag*."""
    return {"etag": etag, "age": str(int(source.age_s)), "cache-status": CACHE_STATUS[source.tier]}
