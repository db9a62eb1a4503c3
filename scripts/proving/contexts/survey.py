"""
Contexts of recorded dialogues, at every prefix that ends before a model call, held against the promises.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import orjson

from scripts.proving.contexts.counting import counted
from scripts.proving.contexts.dialogues import Dialogue, folded, model_calls, to_items, to_log, with_short_results
from scripts.proving.contexts.explanations import misexplained_choice
from scripts.proving.contexts.oracle import expected, facts, tokens_of
from scripts.proving.contexts.promises import broken_promises, recount
from scripts.proving.providers.by_format import faults_of
from shared.context.fit import Selection, fit
from shared.context.render import FORMATS, render
from shared.errors import ContextDoesNotFit
from shared.items.item import Item


@dataclass
class Survey:
    """
    What became of the prefixes under one budget.

    *broken* counts renderings by the promise they break. *refused*: prefixes for which nothing fits, and of these
    *refused_wrongly*. *over*: prefixes of more tokens than the budget; *fills* are theirs, of those not refused, and
    *short* counts those to which the next older unit could have been added. *shown_tokens* are those of whole
    conversations as they are shown, *whole_tokens* as they are stored.
    """

    budget: int
    shown_tokens: int = 0
    whole_tokens: int = 0
    prefixes: int = 0
    over: int = 0
    refused: int = 0
    refused_wrongly: int = 0
    short: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    fills: list[float] = field(default_factory=list)

    def add(self, log: Sequence[Item], count: Callable[[str], int]) -> None:
        """Choose and render a context of *log* in every format, and check it."""
        self.prefixes += 1
        whole_tokens = fit(folded(log, "chat"), 10**9).tokens
        self.over += whole_tokens > self.budget
        folds = {name: folded(log, name) for name in FORMATS}
        try:
            selections = {name: fit(fold, self.budget) for name, fold in folds.items()}
        except ContextDoesNotFit:
            self.refused += 1
            self.refused_wrongly += expected(log, self.budget).needed_tokens is None
            return
        selection = selections["chat"]
        if whole_tokens > self.budget:
            self.fills.append(selection.tokens / self.budget)
            self.short += selection.tokens + _next_older_tokens(log, selection) <= self.budget
        for context_format, chosen in selections.items():
            rendering = render(context_format, chosen)
            members = rendering.members
            self.broken.update(broken_promises(log, self.budget, chosen.tokens, context_format, members))
            self.broken["miscounted"] += counted(chosen, members, count) != chosen.tokens
            self.broken["refused by its provider"] += bool(faults_of(context_format, members))
            fold = folds[context_format]
            self.broken["explained wrongly"] += misexplained_choice(chosen, fold, log, rendering.unsupported)
            stable = fit(fold, self.budget, stable_prefix=True)
            self.broken["explained wrongly"] += misexplained_choice(stable, fold, log, rendering.unsupported)
        messages = orjson.loads(render("chat", selection).members["messages"])
        self.broken["miscounted"] += recount(messages, count) != selection.tokens

    def merge(self, other: "Survey") -> None:
        """Add the figures of *other*, of the same budget."""
        self.prefixes += other.prefixes
        self.over += other.over
        self.refused += other.refused
        self.refused_wrongly += other.refused_wrongly
        self.short += other.short
        self.broken += other.broken
        self.fills += other.fills
        self.shown_tokens += other.shown_tokens
        self.whole_tokens += other.whole_tokens

    @property
    def fill(self) -> float:
        return sum(self.fills) / len(self.fills) if self.fills else 1.0


def _next_older_tokens(log: Sequence[Item], selection: Selection) -> int:
    """Return what the newest unit left out would cost, with its turn's user message if that is left out too."""
    kept = {item.id for item in selection.items}
    for turn in reversed(facts(log).turns):
        left_out = [unit for unit in turn if log[unit.head[0]].id not in kept]
        if left_out:
            added = left_out[-1:] if turn[0] not in left_out or len(left_out) == 1 else [turn[0], left_out[-1]]
            return tokens_of(log, added)
    return selection.tokens


def survey(
    dialogues: Iterable[Dialogue], budgets: Sequence[int], count: Callable[[str], int], *, short_results: bool = False
) -> list[Survey]:
    """Survey all prefixes of *dialogues*; one Survey per budget, same order. *short_results*: results in part."""
    surveys = [Survey(budget) for budget in budgets]
    for dialogue in dialogues:
        log = to_log(to_items(dialogue.messages), count)
        for length in model_calls(log):
            for each in surveys:
                part = log[:length]
                each.add(with_short_results(part, each.budget) if short_results else part, count)
        for each in surveys:
            each.whole_tokens += _tokens(log)
            each.shown_tokens += _tokens(with_short_results(log, each.budget) if short_results else log)
    return surveys


def _tokens(log: Sequence[Item]) -> int:
    return sum([item.tokens for item in log])
