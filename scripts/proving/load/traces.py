"""
Recorded arrivals of requests to language models: when, how long, and which of them continue a conversation.

    read_trace(path)   Mooncake's JSON lines, or Azure's CSV of 2023, told apart by how the file begins

Mooncake names the blocks of 512 tokens that a prompt begins with. A request continues an earlier one when it begins
with all of that one's blocks (but for the last, which may not have been full) and is longer. Block 0, which all
requests have, says nothing. Its clock ticks every 3 s: the requests of a tick are spread over it, else a machine would
get ten at once and then none. Azure gives arrivals and lengths only: there each request is a conversation of its own.
"""

import csv
import io
import random
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import orjson

TICK_S = 3.0
"""How far apart the times of Mooncake's trace are at most."""

AZURE_HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"


class TraceError(ValueError):
    """A file is no trace; the text says where it stops being one."""


class Arrival(NamedTuple):
    """
    A request, *at_s* seconds after the trace's first: the prompt's tokens and the reply's. *conversation* counts
    conversations from 0, *turn* the requests of one, from 0.
    """

    at_s: float
    input_tokens: int
    output_tokens: int
    conversation: int
    turn: int


class Blocks(NamedTuple):
    """A request as Mooncake records it."""

    at_s: float
    input_tokens: int
    output_tokens: int
    blocks: tuple[int, ...]


def read_trace(path: Path) -> list[Arrival]:
    """Return the arrivals of a trace, in order. Raises TraceError, OSError."""
    text = path.read_text()
    if text.startswith(AZURE_HEADER):
        return _read_azure(text, path.name)
    return joined(spread(_read_mooncake(text, path.name)))


def _read_mooncake(text: str, name: str) -> list[Blocks]:
    requests = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            row = orjson.loads(line)
            lengths = int(row["input_length"]), int(row["output_length"])
            requests.append(Blocks(row["timestamp"] / 1_000, *lengths, tuple(map(int, row["hash_ids"]))))
        except (ValueError, KeyError, TypeError) as error:
            raise TraceError(f"{name}, line {number}: not a request of Mooncake's ({error!r})") from None
    if not requests:
        raise TraceError(f"{name} holds no requests")
    return requests


def spread(requests: Iterable[Blocks]) -> list[Blocks]:
    """Return *requests* with those of one tick at drawn times within it, in their order, the same each time."""
    by_tick: dict[float, list[Blocks]] = {}
    for each in requests:
        by_tick.setdefault(each.at_s, []).append(each)
    ticks = sorted(by_tick)
    found = []
    for tick_s, next_s in zip(ticks, [*ticks[1:], ticks[-1] + TICK_S], strict=True):
        own, chance = by_tick[tick_s], random.Random(repr(("tick", tick_s)))  # noqa: S311
        width_s = min(TICK_S, next_s - tick_s)
        times = sorted(tick_s + chance.uniform(0, width_s) for _ in own) if len(own) > 1 else [tick_s]
        found += [each._replace(at_s=at_s) for each, at_s in zip(own, times, strict=True)]
    return found


def _read_azure(text: str, name: str) -> list[Arrival]:
    arrivals: list[Arrival] = []
    first: datetime | None = None
    for number, row in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        try:
            # Seven digits of a second, of which Python reads six.
            at = datetime.fromisoformat(row["TIMESTAMP"][:26])
            tokens = int(row["ContextTokens"]), int(row["GeneratedTokens"])
        except (ValueError, KeyError, TypeError) as error:
            raise TraceError(f"{name}, line {number}: not a request of Azure's ({error!r})") from None
        first = first or at
        arrivals.append(Arrival((at - first).total_seconds(), *tokens, len(arrivals), 0))
    if not arrivals:
        raise TraceError(f"{name} holds no requests")
    return arrivals


class _Known(NamedTuple):
    """The last request of a conversation."""

    request: Blocks
    conversation: int
    turn: int


def joined(requests: Iterable[Blocks]) -> list[Arrival]:
    """Return *requests*, in the order of their time, as turns of conversations."""
    arrivals: list[Arrival] = []
    last_of: dict[int, _Known] = {}
    """Block -> the last request that has it."""
    conversations = 0
    for request in sorted(requests, key=lambda each: each.at_s):
        known = _continued(request, last_of)
        if known is None:
            conversation, turn = conversations, 0
            conversations += 1
        else:
            conversation, turn = known.conversation, known.turn + 1
        arrivals.append(Arrival(*request[:3], conversation, turn))
        now = _Known(request, conversation, turn)
        last_of |= dict.fromkeys(request.blocks[1:], now)
    return arrivals


def _continued(request: Blocks, last_of: dict[int, _Known]) -> _Known | None:
    """Return the request that *request* continues: the last one with the longest beginning that both have."""
    shared = 1
    while shared < len(request.blocks) and request.blocks[shared] in last_of:
        shared += 1
    if shared < 2:
        return None
    known = last_of[request.blocks[shared - 1]]
    is_whole = shared >= len(known.request.blocks) - 1
    return known if is_whole and request.input_tokens > known.request.input_tokens else None


def piece(trace: Sequence[Arrival], seed: object, seconds: float) -> list[Arrival]:
    """
    Return a stretch of *seconds* of *trace*, from 0 s on, whose begin is drawn from *seed*.

    Conversations that began before have their first turn in it: its prompt is what they had by then.
    """
    length_s = trace[-1].at_s
    begin_s = random.Random(repr(("piece", seed))).uniform(0, max(0.0, length_s - seconds))  # noqa: S311
    numbers: dict[int, int] = {}
    turns: dict[int, int] = {}
    found = []
    for each in trace:
        if not begin_s <= each.at_s < begin_s + seconds:
            continue
        conversation = numbers.setdefault(each.conversation, len(numbers))
        turns[conversation] = turns.get(conversation, -1) + 1
        at_s = each.at_s - begin_s
        found.append(each._replace(at_s=at_s, conversation=conversation, turn=turns[conversation]))
    return found
