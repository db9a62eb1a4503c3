"""
How fresh an answer has to be, as the request's headers say it, and how old it is, as the answer's do.

By default every read asks the store. `Cache-Control: max-age=N` accepts what this instance validated at most N
seconds ago, `Warmthread-Min-Version: V` whatever is at least that new, `only-if-cached` forbids asking,
`stale-if-error=N` accepts older news when the store is away, `no-cache` takes all of this back.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from shared.errors import Malformed

DIRECTIVE = re.compile(r'\s*([a-z-]+)(?:\s*=\s*"?(\d{1,9})"?)?\s*(?:,|$)', re.IGNORECASE)
TIMED = ("max-age", "stale-if-error")


class Tier(StrEnum):
    """What answered: L0 nothing was asked, L1 nothing was transferred, L2 entries came from the store."""

    L0 = "L0"
    L1 = "L1"
    L2 = "L2"
    STALE = "STALE"


class Freshness(NamedTuple):
    """What a caller accepts. None: not said."""

    max_age_s: int | None = None
    stale_if_error_s: int | None = None
    version_min: int | None = None
    is_only_if_cached: bool = False

    def accepts(self, age_s: float, version: int) -> bool:
        """Tell whether a copy validated *age_s* ago, at *version*, will do without asking the store."""
        if self.version_min is not None and version >= self.version_min:
            return True
        if self.is_only_if_cached and self.max_age_s is None and self.version_min is None:
            return True
        return self.max_age_s is not None and age_s < self.max_age_s and self.version_min is None

    def accepts_stale(self, age_s: float) -> bool:
        """Tell whether a copy validated *age_s* ago will do because the store is away."""
        return any(limit_s is not None and age_s < limit_s for limit_s in (self.max_age_s, self.stale_if_error_s))


def read_freshness(headers: Mapping[str, str]) -> Freshness:
    """Return what *headers* ask for. Raises Malformed: a header cannot be read."""
    directives = _read_directives(headers.get("cache-control", ""))
    version = headers.get("warmthread-min-version")
    if version is not None and not (version.isascii() and version.isdigit() and len(version) <= 9):
        raise Malformed("Warmthread-Min-Version must be a version, as a tag names it.", param="Warmthread-Min-Version")
    if "no-cache" in directives or "no-store" in directives:
        return Freshness()
    return Freshness(
        max_age_s=directives.get("max-age"),
        stale_if_error_s=directives.get("stale-if-error"),
        version_min=int(version) if version is not None else None,
        is_only_if_cached="only-if-cached" in directives,
    )


def _read_directives(header: str) -> dict[str, int | None]:
    """Return the directives of a Cache-Control *header*; those nobody here knows are passed over, as they must be."""
    directives: dict[str, int | None] = {}
    for part in header.split(","):
        match = DIRECTIVE.fullmatch(part)
        name, seconds = (match[1].lower(), match[2]) if match else ("", None)
        directives[name] = int(seconds) if seconds is not None else None
    for name in TIMED:
        if name in directives and directives[name] is None:
            raise Malformed(f"Cache-Control: {name} must have a number of seconds.", param="Cache-Control")
    return directives
