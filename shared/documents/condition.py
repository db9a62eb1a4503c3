"""
Conditions of a write to the object store: that a document is one of those that the caller knows, or that there is none.
"""

from collections.abc import Mapping
from typing import NamedTuple

from shared.errors import Malformed, VersionMoved
from shared.store.attempts import ENTITY_TAG

ANY = "*"


class Condition(NamedTuple):
    """*tags*: the document has one of these, quoted as in headers; ANY: it exists; None: no matter."""

    tags: frozenset[str] | None = None
    is_new: bool = False

    @property
    def is_impossible(self) -> bool:
        """Whether it exists and does not exist."""
        return self.is_new and self.tags is not None

    @property
    def one_tag(self) -> str:
        """The only tag that will do, "" where there is no such one."""
        return next(iter(self.tags)) if self.tags is not None and len(self.tags) == 1 and ANY not in self.tags else ""

    def allows(self, etag: str | None) -> bool:
        """Tell whether a document with *etag* may be written, None for one that does not exist."""
        if etag is None:
            return self.tags is None
        return not self.is_new and (self.tags is None or ANY in self.tags or etag in self.tags)


def read_condition(headers: Mapping[str, str]) -> Condition:
    """
    Return what If-Match and If-None-Match ask for; weak tags count as strong ones, since proxies weaken them.

    Raises:   Malformed: If-None-Match is anything but *. If-Match was read before (attempts.py).
    """
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    if none_match is not None and none_match.strip() != ANY:
        raise Malformed("If-None-Match must be * here: there is no such document yet.", param="If-None-Match")
    is_new = none_match is not None
    if match is None:
        return Condition(None, is_new)
    tags = [ANY] if match.strip() == ANY else [f'"{tag}"' for tag in ENTITY_TAG.findall(match)]
    return Condition(frozenset(tags), is_new)


def moved(condition: Condition, etag: str | None) -> VersionMoved:
    """Return the refusal of a write whose *condition* does not hold for what has *etag*, None where that is unknown."""
    if condition.is_new:
        return VersionMoved(
            "The document exists, and If-None-Match: * asks that it does not; nothing was stored.",
            param="If-None-Match",
            etag=etag,
        )
    return VersionMoved(
        "The document is none of those that If-Match names; nothing was stored.", param="If-Match", etag=etag
    )
