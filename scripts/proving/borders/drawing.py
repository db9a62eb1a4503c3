"""
What is drawn: conversations, and how they are asked for, from a seed.

    items        items of every type in every order; some deleted, some under a summary
    chat, anthropic, gemini
                 a request in that dialect, appended at once or message by message
    mixed        several of all of these, one behind the other, as where an agent changes its provider
    spoilt       requests that append takes and a provider would not: messages lost, doubled, swapped; odd names, ids,
                 texts
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st

from scripts.proving.borders.conversation import Batch, Conversation, is_taken
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


_ODD = ("", " ", "a b", "call:ä/1", "x" * 70, "1st.name", "image/bmp", "!", "toolu_0", "call:0", "text ")


@st.composite
def _spoilt(draw: st.DrawFn) -> Drawn:
    dialogue = draw(st.one_of(*_DIALECTS.values()))
    messages = list(dialogue.messages)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(messages) - 1)))
        match draw(st.sampled_from(["lose", "double", "swap", "part", "part", "odd", "odd"])):
            case "lose":
                del messages[at : at + 1]
            case "double":
                messages[at:at] = messages[at : at + 1]
            case "swap":
                messages[at : at + 2] = messages[at : at + 2][::-1]
            case "part" if places := list(_lists_in(messages[at : at + 1])):
                path = draw(st.sampled_from(places))
                messages[at] = _with(messages[at], path[1:], draw(_spoilt_list(_at(messages[at], path[1:]))))
            case "odd" if places := list(_texts_in(messages[at : at + 1])):
                messages[at] = _with(messages[at], draw(st.sampled_from(places))[1:], draw(st.sampled_from(_ODD)))
    assume(messages)
    made = batches(dialogue._replace(messages=messages), draw(_cuts))
    assume(is_taken(made))
    return Drawn(Conversation(made), draw(_budgets))


def _texts_in(value: Any) -> Iterator[list[Any]]:
    """Yield the paths to the texts in *value*, but for those that say what something is."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, member in members:
        if isinstance(member, str) and step not in ("type", "role"):
            yield [step]
        yield from ([step, *path] for path in _texts_in(member))


def _lists_in(value: Any) -> Iterator[list[Any]]:
    """Yield the paths to the lists of objects in *value*, but for itself."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, member in members:
        if isinstance(member, list) and all(isinstance(each, dict) for each in member):
            yield [step]
        yield from ([step, *path] for path in _lists_in(member))


def _spoilt_list(parts: list[Any]) -> st.SearchStrategy[list[Any]]:
    """Return *parts* in another order, without some, with one again, or failed, as a result may be."""
    others = [parts[::-1], parts[1:], parts[:-1], parts + parts[:1], []]
    failed = [{**part, "is_error": True} if part.get("type") == "tool_result" else part for part in parts]
    return st.sampled_from([*others, failed, failed])


def _at(value: Any, path: list[Any]) -> Any:
    for step in path:
        value = value[step]
    return value


def _with(value: Any, path: list[Any], new: Any) -> Any:
    """Return *value* with *new* at *path*."""
    if not path:
        return new
    changed = _with(value[path[0]], path[1:], new)
    if isinstance(value, dict):
        return {**value, path[0]: changed}
    return [changed if at == path[0] else member for at, member in enumerate(value)]


SOURCES: Mapping[str, st.SearchStrategy[Drawn]] = {
    "items": _of_items(),
    **{name: _of_dialect(dialect) for name, dialect in _DIALECTS.items()},
    "mixed": _mixed(),
    "spoilt": _spoilt(),
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
