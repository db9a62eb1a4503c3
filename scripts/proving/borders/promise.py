"""
Promise (h), of one log in one format: what is sent is accepted by the rules of the provider that it is for, it counts
what it says, and nothing of what is kept is lost without being named.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from scripts.proving.borders.kept import is_all_there
from scripts.proving.contexts.counting import alone_in, counted
from scripts.proving.contexts.dialogues import folded
from scripts.proving.providers.by_format import faults_of
from shared.context.fit import Selection, fit
from shared.context.render import FORMATS, render
from shared.errors import ContextDoesNotFit
from shared.items.item import Item

type CountText = Callable[[str], int]


class Broken(NamedTuple):
    """*kind*: one of KINDS. *what*: the validator's rule, the type of the item that was lost."""

    context_format: str
    kind: str
    what: str


KINDS = (
    "refused by its provider",
    "counted wrongly",
    "over its budget",
    "lost without being named",
    "not rendered",
    "not appended",
)


def broken(log: Sequence[Item], budget: int, count: CountText, *, stable_prefix: bool = False) -> Iterator[Broken]:
    """Yield what contexts of *log* break, in all formats. Where the budget does not do, that is used which would."""
    for context_format in FORMATS:
        try:
            for kind, what in _broken_in(context_format, log, budget, count, stable_prefix):
                yield Broken(context_format, kind, what)
        except Exception as exc:  # noqa: BLE001  # A log that cannot be rendered is a finding, and not the last one.
            yield Broken(context_format, "not rendered", repr(exc)[:80])


def _broken_in(
    context_format: str, log: Sequence[Item], budget: int, count: CountText, stable_prefix: bool
) -> Iterator[tuple[str, str]]:
    selection, allowed = _chosen(context_format, log, budget, stable_prefix)
    rendering = render(context_format, selection)
    members = rendering.members
    yield from (("refused by its provider", fault.rule) for fault in faults_of(context_format, members))
    if (tokens := counted(selection, members, count)) != selection.tokens:
        yield "counted wrongly", f"{'too few' if tokens > selection.tokens else 'too many'}"
    if selection.tokens > allowed:
        yield "over its budget", ""
    named = set(rendering.unsupported)
    for unit, alone in zip(selection.units, alone_in(selection), strict=True):
        own = members if _has_calls_of_the_provider(unit) else alone
        yield from (("lost without being named", what) for what in is_all_there(context_format, unit, own, named))


def _has_calls_of_the_provider(unit: Sequence[Item]) -> bool:
    """Tell whether something of *unit* may not be sent alone: a call and its result may stand in two."""
    return any(b'_tool_use"' in item.extras or b'_tool_result"' in item.extras for item in unit)


def _chosen(context_format: str, log: Sequence[Item], budget: int, stable_prefix: bool) -> tuple[Selection, int]:
    fold = folded(log, context_format)
    try:
        return fit(fold, budget, stable_prefix), budget
    except ContextDoesNotFit as refusal:
        needed = int(str(refusal.extensions["needed_tokens"]))
        return fit(fold, needed, stable_prefix), needed
