"""
Null is absent: an item that a client wrote down with all its nulls is refused by a model's API for many of them.

What is the caller's own, arguments, schemas, tools, keeps them.
"""

from collections.abc import Collection
from typing import Any

REQUIRED_NULLS = {"image_generation_call": {"result"}, "code_interpreter_call": {"code", "outputs"}}
"""Fields that the Responses API requires, by type of item, be they null."""

_REQUIRED_WITHIN = frozenset({"keys"})
_OPEN_FIELDS = frozenset(
    {"tools", "arguments", "error", "attributes", "env", "result", "output", "svg_usage", "schema"}
)


def without_nulls(raw: dict[str, Any], kept: Collection[str], parts_field: str) -> dict[str, Any]:
    """Return a copy of *raw* without nulls within it, the list of parts aside; *kept* are members that may be null."""
    top = {field: value for field, value in raw.items() if value is not None or field in kept}
    left: list[tuple[Any, Any]] = [(top, field) for field in top if field != parts_field and field not in _OPEN_FIELDS]
    while left:  # JSON may nest deeper than Python calls.
        holder, at = left.pop()
        member = holder[at]
        if isinstance(member, dict):
            holder[at] = member = {
                field: value for field, value in member.items() if value is not None or field in _REQUIRED_WITHIN
            }
            left += [(member, field) for field in member if field not in _OPEN_FIELDS]
        elif isinstance(member, list):
            holder[at] = member = list(member)
            left += [(member, index) for index in range(len(member))]
    return top
