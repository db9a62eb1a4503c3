"""
What choosing has to know of a format, a row each: RULES.

What a format looks like is a file of its own (shared/context/formats/), which is imported when it is asked for.
"""

from collections.abc import Mapping
from functools import lru_cache
from re import compile as pattern
from typing import NamedTuple

from shared.items.fitting import FILLER_TOKENS
from shared.tokens.rule import MESSAGE_TOKENS

ALIAS_TOKENS = 5
"""Of the id that a call gets where its own may not be sent, in both encodings; see call_ids.py."""

FRAME_TOKENS = MESSAGE_TOKENS + 1
"""Of a message, with its role, which is one token in both encodings."""

OPENING_TOKENS = FRAME_TOKENS + FILLER_TOKENS
"""Of the user message that opens what has none, where one has to."""


class FormatRules(NamedTuple):
    """
    *call_ids*: the ids that calls may have. *calls_max*: how many in one message, 0 for any number. *names_results*: a
    result has the name of its call where others have its id. *opens_with_user*: the first message is the user's.
    *trims_the_end*: no white space at the end of an answer. *ends_open*: where calls are open, nothing is behind them.
    *system_apart*: what the system says is no message, and stands before all of them.
    """

    name: str
    call_ids: str
    calls_max: int = 0
    names_results: bool = False
    opens_with_user: bool = False
    trims_the_end: bool = False
    ends_open: bool = False
    system_apart: bool = False


CHAT = FormatRules("chat", r"(?s).{1,40}", calls_max=128, ends_open=True)
RULES: Mapping[str, FormatRules] = {
    rules.name: rules
    for rules in (
        FormatRules("items", r"(?s).{1,64}"),
        CHAT,
        FormatRules("anthropic", r"[a-zA-Z0-9_-]{1,64}", opens_with_user=True, trims_the_end=True, system_apart=True),
        FormatRules("gemini", r"(?s).{1,64}", names_results=True, opens_with_user=True, system_apart=True),
        FormatRules("text", r"[^\s()]{1,64}", ends_open=True),
    )
}
_PATTERNS = [(rules.name, pattern(rules.call_ids)) for rules in RULES.values()]


@lru_cache(maxsize=4096)
def refused_by(call_id: str) -> frozenset[str]:
    """Return the formats in which no call may have that id."""
    return frozenset(name for name, admitted in _PATTERNS if not admitted.fullmatch(call_id))
