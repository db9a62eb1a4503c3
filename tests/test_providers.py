"""
The validators are the oracle of promise (h), so they have to be able to fail: each rule refuses hand-made requests,
and each of those is refused by that rule alone. What a provider takes passes. None fails on what is no request at all.
"""

import copy
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import pytest

from scripts.proving.providers import anthropic, chat, gemini, responses, text
from scripts.proving.providers.rules import Fault, Rules
from tests.providers import anthropic_examples, chat_examples, gemini_examples, responses_examples, text_examples

Request = dict[str, Any]


class Provider(NamedTuple):
    rules: Rules
    faults: Callable[[Request], list[Fault]]
    right: Sequence[Request]
    wrong: Sequence[tuple[str, Request]]


PROVIDERS = {
    "anthropic": Provider(anthropic.RULES, anthropic.faults, anthropic_examples.RIGHT, anthropic_examples.WRONG),
    "chat": Provider(chat.RULES, chat.faults, chat_examples.RIGHT, chat_examples.WRONG),
    "gemini": Provider(gemini.RULES, gemini.faults, gemini_examples.RIGHT, gemini_examples.WRONG),
    "responses": Provider(responses.RULES, responses.faults, responses_examples.RIGHT, responses_examples.WRONG),
    "text": Provider(text.RULES, text.faults, text_examples.RIGHT, text_examples.WRONG),
}
RIGHT = [(name, index) for name, provider in PROVIDERS.items() for index in range(len(provider.right))]
WRONG = [(name, index) for name, provider in PROVIDERS.items() for index in range(len(provider.wrong))]


@pytest.mark.parametrize(("name", "index"), RIGHT)
def test_what_a_provider_takes_has_no_fault(name: str, index: int) -> None:
    assert PROVIDERS[name].faults(PROVIDERS[name].right[index]) == []


@pytest.mark.parametrize(("name", "index"), WRONG)
def test_a_wrong_request_breaks_one_rule_alone(name: str, index: int) -> None:
    rule, request = PROVIDERS[name].wrong[index]

    found = PROVIDERS[name].faults(request)

    assert {fault.rule for fault in found} == {rule}, found
    assert all(fault.path for fault in found)


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_rule_refuses_something_and_has_a_public_source(name: str) -> None:
    provider = PROVIDERS[name]

    assert {rule for rule, _ in provider.wrong} == provider.rules.named.keys()
    for rule in provider.rules.named.values():
        assert re.fullmatch(r"[A-Z].*\.", rule.sentence)
        assert "https://" in rule.source


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_request_spoilt_anywhere_is_judged_and_not_stumbled_over(name: str) -> None:
    provider = PROVIDERS[name]

    for request in provider.right:
        for spoilt in spoilt_anywhere(request):
            assert all(fault.rule in provider.rules.named for fault in provider.faults(spoilt))


def spoilt_anywhere(request: Request) -> Iterator[Request]:
    """Yield *request* with another value in each place, one at a time, and with each member taken out."""
    for path in list(places(request)):
        for value in (None, "", "a", 1, [], {}, [None], {"type": "text"}, ...):
            spoilt = copy.deepcopy(request)
            *above, last = path
            holder: Any = spoilt
            for step in above:
                holder = holder[step]
            if value is ...:
                del holder[last]
            else:
                holder[last] = value
            yield spoilt


def places(value: Any) -> Iterator[list[Any]]:
    """Yield the paths to all that is in *value*, of a long list only to what is first."""
    members = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for step, member in members:
        yield [step]
        yield from ([step, *path] for path in places(member))
