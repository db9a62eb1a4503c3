"""
What an item is to a context: its kind, which decides how it is grouped, paired and kept.

    CALL    waits for an answer from the caller: functions, custom tools, computers, shells, patches,
            approvals, programs, tool searches that the client executes
    HOSTED  executed by the provider within its response, and complete in itself
    SYSTEM  kept in every context: system and developer messages, and what carries state for all that follows it and
            has no chat form: added tools, configuration updates, compactions
    OTHER   from the caller, not paired, without a chat form: messages of roles that chat does not know
    SUMMARY a summary in the place of earlier items (shared/context/summarised.py); no item that a caller appends
"""

from collections.abc import Mapping
from enum import StrEnum


class Kind(StrEnum):
    """One letter each: the kind is stored with every entry, and read by the store's scripts."""

    USER = "u"
    SYSTEM = "s"
    ASSISTANT = "a"
    CALL = "c"
    OUTPUT = "o"
    REASONING = "r"
    HOSTED = "h"
    OTHER = "n"
    SUMMARY = "y"


ROLE_KINDS: Mapping[str, Kind] = {
    "user": Kind.USER,
    "assistant": Kind.ASSISTANT,
    "system": Kind.SYSTEM,
    "developer": Kind.SYSTEM,
}
"""The roles that a message can have, and what a message of each is."""

ASSISTANT_SIDE = frozenset({Kind.ASSISTANT, Kind.CALL, Kind.REASONING, Kind.HOSTED})
"""Consecutive ones are one response, and one chat message."""
