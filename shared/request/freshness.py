"""
How fresh an answer has to be, as the request's headers say it, and how old it is, as the answer's do.

By default every read asks the store. `Cache-Control: max-age=N` accepts what this instance validated at most N
seconds ago, `Warmthread-Min-Version: V` whatever is at least that new, `V.h` whatever is at least that new and came
after that very state; with `max-age` both must hold. `only-if-cached` forbids asking, `stale-if-error=N` accepts older
news when the store is away, `no-cache` takes all of this back.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple, Protocol

from shared.errors import Malformed

DIRECTIVE = re.compile(r'\s*([a-z-]+)(?:\s*=\s*"?(\d{1,9})"?)?\s*(?:,|$)', re.IGNORECASE)
POSITION = re.compile(r"(0|[1-9][0-9]{0,8})(?:\.([0-9a-f]{16}|0))?", re.ASCII)
"""A version, and the chain hash of the history up to it, as a tag names them."""

TIMED = ("max-age", "stale-if-error")


class Tier(StrEnum):
    """What answered: L0 nothing was asked, L1 nothing was transferred, L2 entries came from the store."""

    L0 = "L0"
    L1 = "L1"
    L2 = "L2"
    STALE = "STALE"


class Copy(Protocol):
    """A copy of a conversation at one version of its history."""

    @property
    def version(self) -> int: ...

    def passed(self, chain: str) -> bool:
        """Tell whether the copy is known to be the state with that chain hash, or one that came after it."""


class Freshness(NamedTuple):
    """What a caller accepts. None: not said. *chain*: the chain hash of the history up to *version_min*."""

    max_age_s: int | None = None
    stale_if_error_s: int | None = None
    version_min: int | None = None
    is_only_if_cached: bool = False
    chain: str | None = None

    def accepts(self, age_s: float, copy: Copy) -> bool:
        """Tell whether *copy*, validated *age_s* ago, will do without asking the store."""
        if self.max_age_s is None and self.version_min is None:
            return self.is_only_if_cached
        return (self.max_age_s is None or age_s < self.max_age_s) and self._is_new_enough(copy)

    def accepts_stale(self, age_s: float, copy: Copy) -> bool:
        """Tell whether *copy*, validated *age_s* ago, will do because the store is away."""
        limits_s = (self.max_age_s, self.stale_if_error_s)
        return any(limit_s is not None and age_s < limit_s for limit_s in limits_s) and self._is_new_enough(copy)

    def _is_new_enough(self, copy: Copy) -> bool:
        if self.version_min is None:
            return True
        return copy.version >= self.version_min and (self.chain is None or copy.passed(self.chain))


def read_freshness(headers: Mapping[str, str]) -> Freshness:
    """Return what *headers* ask for. Raises Malformed: a header cannot be read."""
    directives = _read_directives(headers.get("cache-control", ""))
    version, chain = _read_position(headers.get("warmthread-min-version"))
    if "no-cache" in directives or "no-store" in directives:
        return Freshness()
    return Freshness(
        max_age_s=directives.get("max-age"),
        stale_if_error_s=directives.get("stale-if-error"),
        version_min=version,
        is_only_if_cached="only-if-cached" in directives,
        chain=chain,
    )


def _read_position(header: str | None) -> tuple[int | None, str | None]:
    """Return the version and the chain hash that a Warmthread-Min-Version *header* names."""
    if header is None:
        return None, None
    match = POSITION.fullmatch(header)
    if match is None:
        raise Malformed(
            "Warmthread-Min-Version must be a version, as tags name it, alone or with its history: 2.89abcdef01234567.",
            param="Warmthread-Min-Version",
        )
    version = int(match[1])
    # Every history begins empty.
    return version, match[2] if version else None


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
