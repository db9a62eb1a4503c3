"""
Query parameters and body members, read one by one: each returns a checked value or names what is wrong with it.
"""

from collections.abc import Mapping
from typing import Any

from shared.errors import InvalidValue

INTEGER_DIGITS_MAX = 12

PLATFORM_PREFIXES = ("x-vercel-", "_vercel", "vcrr")
"""Vercel's own parameters: the protection bypass, share links, the side of a rolling release."""


def integer(values: Mapping[str, Any], name: str, *, low: int, high: int) -> int | None:
    """Return the integer *name*, None when it is absent or null. Query parameters are text, body members numbers."""
    value = values.get(name)
    if value is None:
        return None
    is_text = isinstance(value, str) and not isinstance(values, dict)
    if is_text and value.isascii() and value.lstrip("-").isdigit() and len(value) <= INTEGER_DIGITS_MAX:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON has one kind of number; 1.0 is an integer there.
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidValue(f"{name} is not an integer.", param=name)
    if not low <= value <= high:
        raise InvalidValue(f"{name} is {value}; it goes from {low} to {high}.", param=name, minimum=low, maximum=high)
    return value


def string(values: Mapping[str, Any], name: str, *, required: bool = False) -> str:
    """Return the text *name*, "" when it is absent and not *required*."""
    value = values.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str):
        raise InvalidValue(f"{name} is {'required' if value is None else 'not a string'}.", param=name)
    return value


def choice(values: Mapping[str, Any], name: str, allowed: tuple[str, ...], default: str) -> str:
    """Return the value of *name*, one of *allowed*."""
    value = values.get(name, default)
    if value not in allowed:
        raise InvalidValue(f"{name} is none of {', '.join(allowed)}.", param=name)
    return str(value)


def boolean(values: Mapping[str, Any], name: str) -> bool:
    """Return the flag *name*, false when it is absent."""
    value = values.get(name, "false")
    if isinstance(values, dict) and name in values and not isinstance(value, bool):
        raise InvalidValue(f"{name} is neither true nor false.", param=name)
    if value in ("true", "1", True):
        return True
    if value in ("false", "0", False):
        return False
    raise InvalidValue(f"{name} is neither true nor false.", param=name)


def refuse_unknown_parameters(values: Mapping[str, Any], known: frozenset[str]) -> None:
    """Raise InvalidValue for a query parameter that no route knows: a misspelt budget must not be ignored."""
    for name in values:
        if name.startswith(PLATFORM_PREFIXES):
            continue
        if name.removesuffix("[]") not in known and name.partition("[")[0] + "[…]" not in known:
            raise InvalidValue(f"There is no query parameter {name[:64]!r} here.", param=name[:64])
