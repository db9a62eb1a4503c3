"""
Calls that Anthropic runs itself, and their results, in what is sent of a conversation: none without the other.

A call has its result behind it in the same answer; in the next one, where calls of the caller's tools stand beside it,
whose results lie between; or none yet at the end of the last answer, which was paused or waits for the caller's
results. What is torn is left out, and an id that stands there already is made another. Which answers are sent a context
decides, so that it is looked at each time.

Rules: https://platform.claude.com/docs/en/agents-and-tools/tool-use/server-tools, and
https://github.com/anthropics/anthropic-sdk-python/issues/1339.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

CALLS = ("server_tool_use", "mcp_tool_use")

_REFUSED = re.compile(r"[^a-zA-Z0-9_-]")
"""https://github.com/HKUDS/nanobot/pull/4356"""

type Ids = tuple[str | None, ...]
"""With which id each call and result of a unit is sent, in order; None for what is left out."""


class _Mark(NamedTuple):
    """A call or a result in a unit; *may_wait*: a call behind which there is nothing but calls and results."""

    call_id: str
    is_call: bool
    may_wait: bool


class _Call(NamedTuple):
    """One without its result yet, by its unit and its place there; *sent_id*: what it is sent with."""

    unit: int
    place: int
    sent_id: str
    may_wait: bool


def note(blocks: Sequence[dict[str, Any]]) -> str:
    """Return what has to be known of *blocks* to tell what is torn, "" where none of them is Anthropic's own."""
    marks: list[_Mark] = []
    may_wait = True
    for block in reversed(blocks):
        if (field := _id_field(block)) is not None:
            call_id, is_call = block.get(field), field == "id"
            marks.append(_Mark(call_id if isinstance(call_id, str) else "", is_call, is_call and may_wait))
        elif block["type"] != "tool_use":
            may_wait = False
    return orjson.dumps([list(mark) for mark in reversed(marks)]).decode() if marks else ""


def sent(blocks: Sequence[dict[str, Any]], ids: Iterator[str | None]) -> list[dict[str, Any]]:
    """Return *blocks* as they are sent where their calls and results have the *ids*, which are taken in turn."""
    kept: list[dict[str, Any]] = []
    for block in blocks:
        field = _id_field(block)
        if field is None:
            kept.append(block)
        elif (call_id := next(ids)) is not None:
            kept.append({**block, field: call_id})
    return kept


def _id_field(block: dict[str, Any]) -> str | None:
    """Return where the id of a call or a result of Anthropic's own stands, None in another block."""
    if block["type"] in CALLS:
        return "id"
    return "tool_use_id" if block["type"].endswith("_tool_result") else None


def changed(notes: Sequence[str]) -> Mapping[int, Ids]:
    """Return the ids of each unit that is not sent as it came, by the *notes* of all that are sent, in order."""
    own = [[_Mark(*mark) for mark in orjson.loads(each)] if each else [] for each in notes]
    ids: list[list[str | None]] = [[None] * len(marks) for marks in own]
    waiting: dict[str, _Call] = {}
    taken: set[str] = set()
    for unit, marks in enumerate(own):
        before, here = waiting, dict[str, _Call]()
        for place, mark in enumerate(marks):
            if mark.is_call:
                sent_id = _free_id(mark.call_id, taken)
                here[mark.call_id] = _Call(unit, place, sent_id, mark.may_wait)
                taken.add(sent_id)
            elif (call := here.pop(mark.call_id, None) or before.pop(mark.call_id, None)) is not None:
                ids[call.unit][call.place] = ids[unit][place] = call.sent_id
        waiting = {call_id: call for call_id, call in here.items() if call.may_wait}
    for call in waiting.values():
        ids[call.unit][call.place] = call.sent_id
    return {unit: tuple(ids[unit]) for unit, marks in enumerate(own) if ids[unit] != [mark.call_id for mark in marks]}


def _free_id(call_id: str, taken: set[str]) -> str:
    """Return *call_id*, or what is made of it, as the API takes it, and not in *taken*."""
    taken_as = _REFUSED.sub("_", call_id) or "srvtoolu_0"
    number, free = 1, taken_as
    while free in taken:
        number += 1
        free = f"{taken_as}_{number}"
    return free
