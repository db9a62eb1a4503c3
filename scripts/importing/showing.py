"""
What an import did, for people: the conversations that need a look, then the sums. `--json` prints a line for each.

What conversations say is shown without control characters, which a terminal would obey.
"""

import json
from collections import Counter
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from scripts.importing.sending import Outcome, State
from scripts.importing.verifying import Verified

SHOWN = 50
REFUSALS_SHOWN = 5
ID_CHARS, REASON_CHARS = 60, 300
HASH_CHARS = 12


class Tally:
    """The sums of outcomes, and those of them that need a look; at most SHOWN are kept."""

    def __init__(self) -> None:
        self.states: Counter[State] = Counter()
        self.records = self.items = self.tokens = self.refused = 0
        self.left_out: Counter[str] = Counter()
        self._shown: list[Outcome] = []
        self._unshown = 0

    @property
    def is_good(self) -> bool:
        return not (self.refused or self.states[State.CONFLICT])

    def add(self, outcome: Outcome) -> None:
        self.states[outcome.state] += 1
        self.refused += outcome.refused
        self.left_out += outcome.left_out
        if outcome.state in (State.NEW, State.GROWN):
            self.records += outcome.records
            self.items += outcome.items
            self.tokens += outcome.tokens
        if outcome.refusals or outcome.reason:
            if len(self._shown) < SHOWN:
                self._shown.append(outcome)
            else:
                self._unshown += 1

    def show(self, console: Console, *, is_dry: bool) -> None:
        for outcome in self._shown:
            console.print(f"{plain(outcome.source_id, ID_CHARS)}  {outcome.state}", style="yellow", soft_wrap=True)
            for line in lines_of(outcome):
                console.print(f"    {line}", soft_wrap=True)
        if self._unshown:
            console.print(f"and {self._unshown:,} more conversations that need a look; --json prints all")
        verb = "would be " if is_dry else ""
        counts = ", ".join(
            f"{count:,} {verb if state == State.NEW else ''}{state}" for state, count in self.states.items()
        )
        console.print(f"conversations: {counts or 'none'}")
        console.print(f"new: {self.records:,} records, {self.items:,} items, {self.tokens:,} tokens")
        if self.refused:
            console.print(f"refused: {self.refused:,}", style="red")
        if self.left_out:
            told = ", ".join(f"{plain(name)} {count:,}" for name, count in sorted(self.left_out.items()))
            console.print(f"left out: {told}")


def lines_of(outcome: Outcome) -> Iterator[str]:
    """Yield what is wrong with a conversation, a line each."""
    if outcome.reason:
        yield plain(outcome.reason, REASON_CHARS)
    for refusal in outcome.refusals[:REFUSALS_SHOWN]:
        place = f"{refusal.at}, {refusal.field}" if refusal.field else refusal.at
        yield f"{plain(place)}: {plain(refusal.reason, REASON_CHARS)}"
    if (more := outcome.refused - min(len(outcome.refusals), REFUSALS_SHOWN)) > 0:
        yield f"and {more:,} more"


def as_line(told: Outcome | Verified) -> str:
    """Return what is told of a conversation as a line of JSON."""
    fields = told._asdict()
    if isinstance(told, Outcome):
        fields["refusals"] = [each._asdict() for each in told.refusals]
    return json.dumps(fields)


def show_verified(console: Console, found: list[Verified], count: int, wrong: int) -> None:
    """Print a table of *found*, which are the first of *count*, those first that are not right."""
    table = Table("source id", "conversation", "items", "there", "others'", "not yet", "refused", "hash", "", box=None)
    for each in found:
        table.add_row(
            plain(each.source_id, ID_CHARS),
            each.conversation_id,
            *(f"{number:,}" for number in (each.expected, each.there, each.others, each.not_yet, each.left)),
            each.digest[:HASH_CHARS] if not each.wrong else f"{each.digest[:HASH_CHARS]} ≠ {each.found[:HASH_CHARS]}",
            plain(each.wrong, REASON_CHARS) or "equal",
            style="" if not each.wrong else "red",
        )
    console.print(table)
    if count > len(found):
        console.print(f"and {count - len(found):,} more; --json prints all")
    console.print(f"{count:,} conversations, {wrong:,} of them not as the source has them")


def plain(text: str, chars_max: int = 200) -> str:
    """Return *text* on one line, without what a terminal would obey, its beginning where it is long."""
    shown = "".join(char if char.isprintable() else "�" for char in text)
    return shown if len(shown) <= chars_max else f"{shown[: chars_max - 1]}…"
