"""
What has been gathered of one check: evidence that the canary is harmful, and that it is not.

    harmless   one process for each group (all, and each route of a check *by_route*) and each beginning (stages)
    harmful    one process, of the stage that is judged: it has to be ruled out anew in each

Weights are fixed before anything is counted, or by the order in which routes come: three quarters for all routes
together, of the rest 1/2, 1/6, 1/12, … for the first, second, third route alone (1/(i(i+1)), which add up to 1). Of
the beginnings the first has half, the others share the rest. What has not begun is worth 1.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from scripts.releasing.evidence import log_mean

ALL = ""
ROUTES_MAX = 64
TOGETHER = 0.75
"""What all routes together weigh."""


class Ledger:
    """The evidence of one check over *beginnings*, each of which is worth something from its `begin` on."""

    def __init__(self, alternatives: int, beginnings: int, *, by_route: bool, kept: Mapping[str, Any] | None = None):
        self._alternatives = alternatives
        self._beginnings = beginnings
        self._by_route = by_route
        self._begun = int(kept["begun"]) if kept else 0
        self._groups: dict[str, list[list[float]]] = (
            {group: [list(logs) for logs in many] for group, many in kept["groups"].items()} if kept else {ALL: []}
        )
        self._against_harm: list[float] = list(kept["against_harm"]) if kept else [0.0] * alternatives
        self.log_harmless_max: float = float(kept["log_harmless_max"]) if kept else 0.0
        """The most that spoke against harm in this stage."""
        self.log_harmful = self._log_harmful()
        """The logarithm of the evidence for harm, as of the last look."""

    def begin(self) -> None:
        """A stage begins: a process of its own, and harm has to be ruled out anew."""
        self._begun += 1
        for many in self._groups.values():
            many.append([0.0] * self._alternatives)
        self._against_harm = [0.0] * self._alternatives
        self.log_harmless_max = 0.0

    def add_harm(self, group: str, logs: Sequence[float]) -> None:
        """Multiply the e-values, by their *logs*, of an interval of a route."""
        names = {ALL, group} if self._by_route else {ALL}
        for name in names:
            if name not in self._groups:
                if len(self._groups) > ROUTES_MAX:
                    continue
                self._groups[name] = [[0.0] * self._alternatives for _ in range(self._begun)]
            self._groups[name] = [
                [own + more for own, more in zip(each, logs, strict=True)] for each in self._groups[name]
            ]

    def add_harmless(self, logs: Sequence[float]) -> None:
        """Multiply the e-values of an interval that speak against harm."""
        self._against_harm = [own + more for own, more in zip(self._against_harm, logs, strict=True)]

    def close_look(self) -> None:
        """All of an interval was added."""
        self.log_harmless_max = max(self.log_harmless_max, log_mean(self._against_harm))
        self.log_harmful = self._log_harmful()

    def _log_harmful(self) -> float:
        everything = self._over_beginnings(self._groups[ALL])
        if not self._by_route:
            return everything
        routes = [many for name, many in self._groups.items() if name != ALL]
        logs = [everything, *map(self._over_beginnings, routes), 0.0]
        apart = 1 - TOGETHER
        weights = [apart / (at * (at + 1)) for at in range(1, len(routes) + 1)]
        weights = [TOGETHER, *weights, apart / (len(routes) + 1)]
        return log_mean(logs, weights)

    @property
    def worst_route(self) -> str:
        """Return the route of which there is most evidence, "" if there is more of all together."""
        found = {name: self._over_beginnings(many) for name, many in self._groups.items()}
        return max(found, key=lambda name: found[name])

    def _over_beginnings(self, many: Sequence[Sequence[float]]) -> float:
        logs = [log_mean(each) for each in many] + [0.0] * (self._beginnings - len(many))
        later = 0.5 / max(1, self._beginnings - 1)
        weights = [1 - later * (self._beginnings - 1)] + [later] * (self._beginnings - 1)
        return log_mean(logs, weights)

    def to_json(self) -> dict[str, Any]:
        return {
            "begun": self._begun,
            "groups": self._groups,
            "against_harm": self._against_harm,
            "log_harmless_max": self.log_harmless_max,
        }


def needed(allowance: float) -> float:
    """Return the logarithm of the evidence that an *allowance* asks for."""
    return math.log(1 / allowance)
