"""
What a provider's rules are made of: a rule says what it refuses, and from where that is known.

A validator is a module with RULES and `faults(request)`. Rules of shape (known fields, their types) come first: what
has the wrong shape is held to nothing else, so a rule behind them needs no doubts. A request is what a caller sends of
a context, before it adds what is new: nothing at all, and calls at the end that wait for their results, are no faults.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from scripts.proving.providers.shapes import KINDS, Difference

Request = dict[str, Any]
type Check = Callable[[Request], Iterator[str]]


class Fault(NamedTuple):
    """*path* leads to what breaks the rule, `messages[3].content[0].text`. *sentence* is the rule's."""

    rule: str
    path: str
    sentence: str


class Rule(NamedTuple):
    """*source* is public: the address of the documentation, or the API's own error and a thread that quotes it."""

    sentence: str
    source: str


class Rules:
    """The rules of one provider, by name."""

    def __init__(self) -> None:
        self.named: dict[str, Rule] = {}
        self._shape: Callable[[Request], Iterable[Difference]] = lambda _request: ()
        self._checks: dict[str, Check] = {}

    def shape(self, differences: Callable[[Request], Iterable[Difference]], rules: Mapping[str, Rule]) -> None:
        """Hold requests to their types: *differences* of shapes.py, and *rules* that word the kinds of them."""
        assert rules.keys() <= set(KINDS)
        self.named.update(rules)
        self._shape = differences

    def rule(self, name: str, sentence: str, source: str) -> Callable[[Check], Check]:
        """Add a rule: the decorated function yields the paths of what breaks it in a request of the right shape."""

        def add(check: Check) -> Check:
            assert name not in self.named, f"two rules are named {name}"
            self.named[name] = Rule(sentence, source)
            self._checks[name] = check
            return check

        return add

    def faults(self, request: Request) -> list[Fault]:
        """Return what the provider would refuse of *request*, those of shape alone where there are any."""
        found = list(self._shape(request))
        if not found:
            found = [(name, path) for name, check in self._checks.items() for path in check(request)]
        return [Fault(name, path, self.named[name].sentence) for name, path in found]
