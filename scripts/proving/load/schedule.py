"""
Which request is due when: a pure function of a trace, a speed and a seed.

    create    the conversation, with what its prompt had before the first message, LEAD_S ahead of that
    turn      what is new since the last reply, appended; the answer is the context for the model call
    reply     what the model said, once it would have said it
    reread    the context again, as who looks at the conversation does, of some turns

Times are seconds of the clock on the wall; at speed 10 those of the trace are divided by 10.
"""

import hashlib
import random
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from scripts.proving.load.traces import Arrival

LEAD_S = 2.0
TOKEN_S = 0.02
"""What a model takes for a token of its reply."""

REREAD_S = 1.0
SYSTEM_TOKENS = 300
USER_TOKENS_MAX = 500
"""Of the newest message. What a prompt has beyond it is history, or what tools brought."""

PIECE_TOKENS = 1_000
ITEMS_MAX = 96
"""Of a batch; longer prompts have longer messages."""

CONVERSATION_NUMBERS = 1_000


class Piece(NamedTuple):
    """One message: *number* chooses the text. The role `tool` stands for a call and its result."""

    role: str
    tokens: int
    number: int


class Step(NamedTuple):
    """
    A request that is due *at_s* after the begin. *pieces* or recorded *messages* are what it appends; *document* is
    mentioned by the newest message.
    """

    at_s: float
    kind: str
    conversation: int
    turn: int
    pieces: tuple[Piece, ...] = ()
    messages: tuple[dict[str, Any], ...] = ()
    document: str = ""


class Mix(NamedTuple):
    """What is drawn: the share of turns that are read again, of conversations that mention one of so many documents."""

    reread_share: float = 0.25
    document_share: float = 0.2
    documents: int = 40


def schedule(arrivals: Sequence[Arrival], speed: float, seed: object, mix: Mix | None = None) -> list[Step]:
    """Return the requests of *arrivals* (`traces.piece`), in the order in which they are due."""
    mix = mix or Mix()
    by_conversation: dict[int, list[Arrival]] = {}
    for each in arrivals:
        by_conversation.setdefault(each.conversation, []).append(each)
    steps: list[Step] = []
    for conversation, turns in by_conversation.items():
        chance = random.Random(repr(("mix", seed, conversation)))  # noqa: S311
        steps += _of_conversation(turns, chance, mix)
    return [each._replace(at_s=each.at_s / speed) for each in sorted(steps)]


def _of_conversation(turns: Sequence[Arrival], chance: random.Random, mix: Mix) -> Iterable[Step]:
    first = turns[0]
    document = _document(chance, mix)
    number = first.conversation * CONVERSATION_NUMBERS
    history, message = _first(first.input_tokens, number)
    yield Step(first.at_s, "create", first.conversation, 0, history)
    number += len(history) + 1
    # All comes LEAD_S later, so that a conversation is there when its first message is due.
    for index, each in enumerate(turns):
        pieces = (message,) if index == 0 else _grown(_growth(turns[index - 1], each), number)
        at_s = each.at_s + LEAD_S
        yield Step(at_s, "turn", each.conversation, index, pieces, document=document if index == 0 else "")
        number += len(pieces)
        said_at_s = at_s + each.output_tokens * TOKEN_S
        if index + 1 < len(turns):  # The next message answers the reply, so that was there before.
            said_at_s = min(said_at_s, (at_s + turns[index + 1].at_s + LEAD_S) / 2)
        reply = Piece("assistant", max(1, each.output_tokens), number)
        yield Step(said_at_s, "reply", each.conversation, index, (reply,))
        number += 1
        if chance.random() < mix.reread_share:
            yield Step(said_at_s + REREAD_S, "reread", each.conversation, index)


def _document(chance: random.Random, mix: Mix) -> str:
    """Return the document that a conversation mentions, most often one of a few; none for most."""
    if not mix.documents or chance.random() >= mix.document_share:
        return ""
    weights = [1 / rank for rank in range(1, mix.documents + 1)]
    return f"{chance.choices(range(mix.documents), weights)[0]}.md"


def _growth(before: Arrival, now: Arrival) -> int:
    return max(1, now.input_tokens - before.input_tokens - before.output_tokens)


def _first(tokens: int, number: int) -> tuple[tuple[Piece, ...], Piece]:
    """Return what was there before the first message, and that message."""
    system = min(SYSTEM_TOKENS, tokens // 4)
    user = max(1, min(USER_TOKENS_MAX, tokens - system))
    sizes = _split(tokens - system - user, ITEMS_MAX)
    pieces = [Piece("system", system, number)] if system else []
    for left, size in zip(range(len(sizes), 0, -1), sizes, strict=True):
        pieces.append(Piece("assistant" if left % 2 else "user", size, number + len(pieces)))
    return tuple(pieces), Piece("user", user, number + len(pieces))


def _grown(tokens: int, number: int) -> tuple[Piece, ...]:
    """Return what came since a reply: results of tools, and a message."""
    user = min(USER_TOKENS_MAX, tokens)
    sizes = _split(tokens - user, ITEMS_MAX // 2)
    pieces = [Piece("tool", size, number + index) for index, size in enumerate(sizes)]
    return (*pieces, Piece("user", user, number + len(pieces)))


def _split(tokens: int, pieces_max: int) -> list[int]:
    """Return sizes of PIECE_TOKENS, or larger where there would be more than *pieces_max*, that sum up to *tokens*."""
    if tokens <= 0:
        return []
    count = min(pieces_max, -(-tokens // PIECE_TOKENS))
    return [tokens // count + (index < tokens % count) for index in range(count)]


def digest(steps: Iterable[Step]) -> str:
    """Return what names a schedule: equal ones have equal digests."""
    return hashlib.sha256(repr([tuple(each) for each in steps]).encode()).hexdigest()[:16]
