"""
Short forms of a tool's result: its text by the beginning, or by beginning and end, and what says how much is left out.

    result_text   the text of a result that can be shortened
    Short         one form: how much of the text it shows, and what it counts
    short_text    that text
    shortened     the item and its extras, as if the tool had said that

Where a text is cut, and what each form counts, is found when the item is appended (short_forms.py); a form is made of
the stored item by slicing its text. What is counted is what is sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from shared.items.dialects.extras import has_foreign
from shared.items.item import NO_DIFFERENCES
from shared.items.part_types import TEXT_TYPES

TYPES = frozenset({"function_call_output", "custom_tool_call_output"})
"""What can be shortened: other results are pictures, or have no text that every format sends."""


class Short(NamedTuple):
    """
    A form that shows the first *begin_chars* characters of the text and the last *end_chars*, and between them that
    *left_out_tokens* are left out. *content_tokens* and *differences* are those of the item in this form, as Item has
    them.
    """

    begin_chars: int
    end_chars: int
    left_out_tokens: int
    content_tokens: int
    differences: Mapping[str, tuple[int, int]] = NO_DIFFERENCES


class Shortened(Protocol):
    """What has short forms, and what it counts as a whole: an item, or its counts."""

    @property
    def content_tokens(self) -> int: ...

    @property
    def shorts(self) -> Sequence[Short]: ...


def saving(of: Shortened) -> int:
    """Return what the shortest form saves, 0 where there is none."""
    return of.content_tokens - of.shorts[0].content_tokens if of.shorts else 0


def write_shorts(shorts: Iterable[Short]) -> list[list[Any]]:
    """Return *shorts* as they are stored."""
    return [[*each] if each.differences else [*each[:4]] for each in shorts]


def read_shorts(stored: Iterable[list[Any]]) -> tuple[Short, ...]:
    return tuple([Short(*each[:5]) for each in stored])


def result_text(item: Mapping[str, Any], extras: Mapping[str, Any]) -> str | None:
    """Return the text of the result *item*, None where it is none, or holds more than text."""
    if item.get("type") not in TYPES or "left_out" in extras or has_foreign(extras):
        return None
    output = item.get("output")
    if isinstance(output, str):
        return output
    if not isinstance(output, list) or not output:
        return None
    texts: list[str] = []
    for part in output:
        if not isinstance(part, dict) or part.get("type") not in TEXT_TYPES or not isinstance(part.get("text"), str):
            return None
        texts.append(part["text"])
    return "\n".join(texts)


def marker(left_out_tokens: int, item_id: str) -> str:
    """Return the line that stands in the place of what is left out."""
    return f"… {left_out_tokens:,} tokens left out; item {item_id}"


def short_text(text: str, short: Short, item_id: str) -> str:
    """Return *text* in the form *short*."""
    shown = f"{text[: short.begin_chars]}\n{marker(short.left_out_tokens, item_id)}"
    return f"{shown}\n{text[-short.end_chars :]}" if short.end_chars else shown


def shortened(
    item: Mapping[str, Any], extras: Mapping[str, Any], short: Short
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a result and its extras in the form *short*; how its parts stood is no longer to be said."""
    text = result_text(item, extras)
    assert text is not None
    kept = {name: value for name, value in extras.items() if name != "content"}
    return {**item, "output": short_text(text, short, item["id"])}, kept if len(kept) > 1 else {}
