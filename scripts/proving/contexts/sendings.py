"""
What formats do to a log, as the oracle knows it: a row each, and which calls they send with another id.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from shared.items.item import Item


class Sending(NamedTuple):
    """
    What a format does to a log. *admits*: the ids of calls. *names_results*: by name instead of id. *opens*: with a
    message of the user, its own where there is none. *trims*: the white space at the end of an answer. *ends_open*:
    nothing stands behind open calls.
    """

    admits: str
    names_results: bool = False
    opens: bool = False
    trims: bool = False
    ends_open: bool = False


SENDINGS = {
    "items": Sending(".{1,64}"),
    "chat": Sending(".{1,40}", ends_open=True),
    "anthropic": Sending("[A-Za-z0-9_-]{1,64}", opens=True, trims=True),
    "gemini": Sending(".{1,64}", names_results=True, opens=True),
    "text": Sending(r"[^\s()]{1,64}", ends_open=True),
}
ALIAS_TOKENS, OPENING_TOKENS = 5, 7


def alias(call: Item) -> str:
    return f"call_{call.preceding_tokens:09d}" if call.overhead_tokens else ""


def is_sent_by_alias(log: Sequence[Item], call: int, output: int, sending: Sending) -> bool:
    """Tell whether an answered call is sent with another id than its own."""
    call_id = log[call].pair_key.partition(":")[2]
    is_taken = any(item.kind == "c" and item.pair_key.partition(":")[2] == call_id for item in log[call + 1 :])
    is_other = re.fullmatch(r"call_\d{9}", call_id) is not None and call_id != alias(log[call])
    is_refused = re.fullmatch(sending.admits, call_id, re.DOTALL) is None
    return is_taken or is_other or is_refused or log[output].pair_key != log[call].pair_key
