"""
What is drawn: conversations, and how they are asked for, from a seed.

    items        items of every type in every order; some deleted, some under a summary
    chat, anthropic, gemini
                 a request in that dialect, appended at once or message by message
    mixed        several of all of these, one behind the other, as where an agent changes its provider
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from scripts.proving.borders.conversation import Batch, Conversation
from scripts.proving.borders.items import logs, texts
from scripts.proving.borders.law import Dialogue, batches
from scripts.proving.borders.requests import anthropic_requests, as_dumped, chat_requests, gemini_requests

ROOM = 10**9
_budgets = st.sampled_from([ROOM, ROOM, ROOM, 40, 300, 2_000])
_cuts = st.lists(st.integers(1, 30), max_size=4) | st.just(list(range(1, 60)))


class Drawn(NamedTuple):
    """*dialogue*: what all of the conversation is, appended with *cuts*, where it is a single one; None for others."""

    conversation: Conversation
    budget: int = ROOM
    stable_prefix: bool = False
    dialogue: Dialogue | None = None
    cuts: tuple[int, ...] = ()


_chat = st.one_of(chat_requests(), chat_requests().map(as_dumped)).map(
    lambda request: Dialogue("", "chat", request["messages"])
)
_anthropic = anthropic_requests().map(
    lambda request: Dialogue("", "anthropic", request["messages"], request.get("system"))
)
_gemini = gemini_requests().map(
    lambda request: Dialogue("", "gemini", request["contents"], request.get("systemInstruction"))
)
_DIALECTS = {"chat": _chat, "anthropic": _anthropic, "gemini": _gemini}


@st.composite
def _of_items(draw: st.DrawFn) -> Drawn:
    items = draw(logs())
    deleted: frozenset[int] = frozenset()
    summary, through = "", -1
    if items and draw(st.integers(0, 5)) == 5:
        deleted = frozenset(draw(st.sets(st.integers(0, len(items) - 1), max_size=3)))
    if items and draw(st.integers(0, 9)) == 9:
        summary, through = "Summary:\n" + draw(texts), draw(st.integers(0, len(items)))
    conversation = Conversation([{"items": items}], deleted, summary, through)
    return Drawn(conversation, draw(_budgets), draw(st.integers(0, 4)) == 4)


def _of_dialect(dialect: st.SearchStrategy[Dialogue]) -> st.SearchStrategy[Drawn]:
    def made(dialogue: Dialogue, cuts: list[int], budget: int) -> Drawn:
        return Drawn(Conversation(batches(dialogue, cuts)), budget, dialogue=dialogue, cuts=tuple(cuts))

    return st.builds(made, dialect.filter(lambda each: bool(each.messages)), _cuts, _budgets)


@st.composite
def _mixed(draw: st.DrawFn) -> Drawn:
    made: list[Batch] = []
    for dialogue in draw(st.lists(st.one_of(*_DIALECTS.values()), min_size=1, max_size=3)):
        made += batches(dialogue, draw(_cuts)) if dialogue.messages else []
    if items := draw(logs(episodes_max=4)):
        made.insert(draw(st.integers(0, len(made))), {"items": items})
    return Drawn(Conversation(made), draw(_budgets))


SOURCES: Mapping[str, st.SearchStrategy[Drawn]] = {
    "items": _of_items(),
    **{name: _of_dialect(dialect) for name, dialect in _DIALECTS.items()},
    "mixed": _mixed(),
}


def draw(source: str, from_seed: int, examples: int, take: Callable[[Drawn], None]) -> None:
    """Hand *examples* of *source* to *take*, the same for the same seed, which must not raise."""

    @seed(from_seed)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(SOURCES[source])
    def each(drawn: Drawn) -> None:
        take(drawn)

    each()
