"""
What the conversations of an instance counted since its start.
"""

from typing import NamedTuple

from shared.request.freshness import Tier


class HistoryCounts(NamedTuple):
    """
    Reads by the tier that answered them; *evictions* from L1, the *conversations* it holds, and their bytes; callers
    that *shared* a load of another.
    """

    answers: dict[Tier, int]
    evictions: int
    conversations: int
    size_bytes: int
    shared: int


class ContextTokens:
    """The tokens that contexts *kept* and *omitted*."""

    def __init__(self) -> None:
        self.kept = self.omitted = 0

    def note(self, kept_tokens: int, omitted_tokens: int) -> None:
        """Count what one context holds, and what it leaves out."""
        self.kept += kept_tokens
        self.omitted += omitted_tokens
