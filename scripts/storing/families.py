"""
The families of names in the store: which function or constant of shared/store/keys.py a name was made by.

A family is named as that is: `conversation_key`, `HOT_KEY`. A new one is known here as soon as it is declared there.
"""

import inspect
import re
from collections.abc import Iterable

from shared.store import keys

_NUMBER, _WORD = 4_711_471_147, "zzanythingzz"
"""What stands for an argument in a name that is made to be taken apart."""


def patterns() -> dict[str, re.Pattern[str]]:
    """Return what the names of each family look like."""
    found = {}
    for name, made in vars(keys).items():
        if name.endswith("_key") and inspect.isfunction(made):
            parameters = inspect.signature(made).parameters.values()
            found[name] = made(*(_NUMBER if each.annotation is int else _WORD for each in parameters))
        elif name.endswith("_KEY"):
            found[name] = made
    return {name: _pattern(text) for name, text in found.items()}


def families_of(names: Iterable[str]) -> dict[str, set[str]]:
    """Return the *names* of each family, that of those that belong to none under ""."""
    known, found = patterns(), dict[str, set[str]]()
    for name in names:
        # What is fixed to its end is meant, where an argument could swallow it.
        fitting = [(len(each.pattern), family) for family, each in known.items() if each.fullmatch(name)]
        found.setdefault(max(fitting)[1] if fitting else "", set()).add(name)
    return found


def _pattern(text: str) -> re.Pattern[str]:
    escaped = re.escape(text).replace(_WORD, ".+").replace(str(_NUMBER), r"\d+")
    escaped = escaped.replace(keys.digest(_WORD), "[0-9a-f]{32}")
    return re.compile(escaped, re.DOTALL)
