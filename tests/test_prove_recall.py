"""`scripts/prove contexts --recall-budget` in short: nothing is broken; and each promise that is broken is found."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from scripts.proving.contexts.dialogues import Dialogue, to_items
from scripts.proving.contexts.recalling import Recalls, is_broken, rows_of, survey

CALL = {"id": "call_1", "type": "function", "function": {"name": "find_report", "arguments": '{"year": 2026}'}}
MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Please book the flight to Lisbon."},
    {"role": "assistant", "content": "Your booking is number KX-4471.\nIt is with Aurora."},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "/var/tmp/q3/report.csv"},
    *({"role": ("user", "assistant")[at % 2], "content": f"Something else, number {at}. " * 4} for at in range(24)),
    {"role": "user", "content": "Which booking number did Aurora give, and where does the report lie?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL | {"id": "call_2"}]},
    {"role": "tool", "tool_call_id": "call_2", "content": "none"},
    {"role": "assistant", "content": "KX-4471."},
]
BUDGET, PERCENT = 320, 40
QUESTION = next(at for at, each in enumerate(to_items(MESSAGES)) if "Which booking" in str(each))

type Ask = Callable[..., list[httpx.Response]]
type Json = dict[str, Any]


def test_contexts_that_recall_break_nothing(api: httpx.Client, make_api: Callable[[], httpx.Client]) -> None:
    found = [*survey([api, make_api()], [Dialogue("made", MESSAGES)], [BUDGET], PERCENT)]

    assert not is_broken(found), rows_of(found)
    assert found[0][0].recalling > 1


@pytest.fixture(scope="module")
def answers() -> dict[str, list[httpx.Response]]:
    """What was answered, by what was asked."""
    return {}


@pytest.fixture
def ask(api: httpx.Client, answers: dict[str, list[httpx.Response]]) -> Ask:
    """Ask for contexts of a conversation that ends with the question, once for all tests."""
    path = ""

    def asked(times: int, **query: Any) -> list[httpx.Response]:
        nonlocal path
        if (key := repr(query)) not in answers:
            path = path or f"/v1/conversations/{api.post('/v1/conversations', json={}).json()['id']}"
            if not answers:
                api.post(f"{path}/items", json={"items": to_items(MESSAGES)[: QUESTION + 1]}).raise_for_status()
            answers[key] = [api.get(f"{path}/context", params=query)] * 2
        return answers[key][:times]

    return asked


def checked(ask: Ask, change: Callable[[Json], object], changed: tuple[int, ...] = (0, 1)) -> Recalls:
    """Check the contexts of *ask*, of which those that recall are *changed*, by these instances."""

    def asked(times: int, **query: Any) -> list[httpx.Response]:
        found = ask(times, **query)
        if "recall_budget" not in query:
            return found
        return [_changed(each, change) if at in changed else each for at, each in enumerate(found)]

    recalls = Recalls(BUDGET, PERCENT)
    recalls.check(asked, to_items(MESSAGES)[: QUESTION + 1], QUESTION)
    return recalls


def _changed(answer: httpx.Response, change: Callable[[Json], object]) -> httpx.Response:
    told = answer.json()
    change(told)
    return httpx.Response(told.pop("status", 200), json=told, request=answer.request)


def note_in(told: Json) -> Json:
    """Return the note's message of Chat Completions; of another format something else to change."""
    messages: list[Json] = told["messages"] if told["format"] == "chat" else [{"content": ""}, {}]
    return messages[-2]


def swap(told: Json) -> None:
    if told["format"] == "chat":
        told["messages"][-2:] = reversed(told["messages"][-2:])


def quote_what_is_shown(told: Json) -> None:
    if told["format"] == "items":
        told["recalled"][0]["item_id"] = told["input"][1]["id"]


CHANGES: dict[str, Callable[[Json], object]] = {
    "over budget": lambda told: told.update(tokens=BUDGET + 1),
    "more than its share": lambda told: note_in(told).update(content=note_in(told)["content"] + " more" * 130),
    "miscounted": lambda told: told.update(tokens=told["tokens"] - 1),
    "refused by its provider": lambda told: note_in(told).update(role="nobody"),
    "another window": lambda told: told["messages"].pop(1) if told["format"] == "chat" else None,
    "note elsewhere": swap,
    "quoted otherwise than said": lambda told: note_in(told).update(content=note_in(told)["content"] + "!"),
    "recalled although shown": quote_what_is_shown,
    "422 although it would fit": lambda told: told.update(status=422),
}


def test_what_is_not_changed_breaks_nothing(ask: Ask) -> None:
    recalls = checked(ask, lambda told: None)

    assert recalls.broken.total() == 0
    assert recalls.recalling == 1


@pytest.mark.parametrize("promise", CHANGES)
def test_each_promise_that_is_broken_is_found(ask: Ask, promise: str) -> None:
    assert checked(ask, CHANGES[promise]).broken[promise] > 0


def test_what_another_instance_answers_otherwise_is_found(ask: Ask) -> None:
    recalls = checked(ask, lambda told: told["recalled"].pop(), changed=(1,))

    assert recalls.broken["otherwise on another instance"] == recalls.contexts


def test_a_note_that_moves_while_tools_answer_is_found(ask: Ask) -> None:
    recalls, log = checked(ask, lambda told: None), to_items(MESSAGES)[: QUESTION + 1]
    recalls.check(ask, log, QUESTION)
    assert recalls.broken.total() == 0

    def otherwise(times: int, **query: Any) -> list[httpx.Response]:
        return [_changed(each, CHANGES["quoted otherwise than said"]) for each in ask(times, **query)]

    recalls.check(otherwise, log, QUESTION)
    assert recalls.broken["moved while tools answered"] == 1
