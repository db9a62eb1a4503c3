"""
Where an export goes on: what the last line of a page names, so that any instance can make the next.
"""

import re
from typing import Final, NamedTuple, Self

from shared.errors import wrong_value

CURSOR: Final = (
    r"[0-9a-f]{1,32}\.[0-9]{1,9}\.[0-9a-f]{0,16}\.[0-9]{0,9}(\.[0-9]{1,9}){5}"
    r"(\.[0-9]{1,12}){2}(\.[0-9]{0,9}){2}\.[A-Za-z0-9_-]{0,64}\.[0-9a-f]{64}"
)
OF: Final = "what the last line of a page names"
FIRST_HASH: Final = ""
"""Of the page before the first."""


class Cursor(NamedTuple):
    """
    The state that the export is of, the *summary*'s place in it, the *place* to go on at and how far that is *sent*
    (export.lua); the number of the next *page*, how many *items* and ids that are *gone* there were, and the hash of
    the pages *before*. Of the state as well: how many *results* it ever had, the tokens that their short forms *saved*,
    and how many items and terms there were when its newest user message *asked*, "" for none, and the id of the oldest
    item with terms.
    """

    generation: str = ""
    version: int = 0
    chain: str = ""
    summary: str = ""
    place: int = 0
    sent: int = 1
    page: int = 1
    items: int = 0
    gone: int = 0
    results: int = 0
    saved: int = 0
    asked_items: str = ""
    asked_terms: str = ""
    recalled_from: str = ""
    before: str = FIRST_HASH

    @classmethod
    def read(cls, text: str) -> Self:
        """Return what a page's last line named; "" begins. Raises InvalidValue."""
        if not text:
            return cls()
        if re.fullmatch(CURSOR, text) is None:
            raise wrong_value("cursor", OF, "another text")
        generation, version, chain, summary, *numbers, items, terms, oldest, before = text.split(".")
        place, sent, page, shown, gone, results, saved = map(int, numbers)
        counts = place, sent, page, shown, gone, results, saved
        return cls(generation, int(version), chain, summary, *counts, items, terms, oldest, before)

    def __str__(self) -> str:
        return ".".join(map(str, self))
