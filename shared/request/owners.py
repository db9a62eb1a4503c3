"""
Whose a conversation is inside a tenant: an end user, an agent, both or neither, by names that the tenant gives them.

They are names and nothing else: what may be done under an API key does not depend on them.
"""

import re
from typing import NamedTuple

from shared.errors import InvalidValue, wrong_kind

CHARS_MAX = 128
CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
"""What no name holds; half a surrogate pair is no character, and no text that could be stored."""

PATTERN = r"^[^\u0000-\u001f\u007f]*$"
"""The same for who reads the API's description."""


class Owners(NamedTuple):
    """The *user* and the *agent* of a conversation, "" for none."""

    user: str = ""
    agent: str = ""


NOBODY = Owners()


def read_owner(value: object, param: str) -> str:
    """Return the name of a user or an agent. Raises InvalidValue, which names *param*."""
    if not isinstance(value, str):
        raise wrong_kind(param, "a string", value)
    if not 1 <= len(value) <= CHARS_MAX:
        raise InvalidValue(f"{param} must have 1 to {CHARS_MAX} characters, not {len(value)}.", param=param)
    if CONTROL.search(value):
        raise InvalidValue(f"{param} must have no control characters.", param=param)
    return value
