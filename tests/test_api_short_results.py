"""`tool_results=short` over HTTP: which results are shown in part, what that counts, and what stays the same."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import httpx
import pytest

from scripts.local.upstash import LocalUpstash
from scripts.proving.contexts.promises import recount
from scripts.proving.contexts.real_tokens import real_count

WORDS = "The tool says this in so many words. "


def turn(number: int, result: str) -> list[dict[str, Any]]:
    return [
        {"role": "user", "content": f"What is the weather in town {number}?"},
        {"type": "function_call", "call_id": f"c{number}", "name": "weather", "arguments": f'{{"town":{number}}}'},
        {"id": f"fco_{number}", "type": "function_call_output", "call_id": f"c{number}", "output": result},
    ]


def make(api: httpx.Client, *results: str) -> str:
    made = api.post("/v1/conversations", json={"items": []}).json()["id"]
    path = f"/v1/conversations/{made}"
    for number, result in enumerate(results):
        append(api, path, *turn(number, result))
    return path


def append(api: httpx.Client, path: str, *items: dict[str, Any]) -> None:
    answer = api.post(f"{path}/items", json={"items": items})
    assert answer.status_code == 200, answer.text


def get(api: httpx.Client, path: str, **query: Any) -> dict[str, Any]:
    parameters = {"budget": 30_000, "format": "chat", "tool_results": "short", **query}
    answer = api.get(f"{path}/context", params=parameters)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def results_of(context: dict[str, Any]) -> list[str]:
    return [message["content"] for message in context["messages"] if message["role"] == "tool"]


def test_older_results_are_shown_by_their_beginning(api: httpx.Client) -> None:
    path = make(api, *[WORDS * 20] * 14)
    context = get(api, path)
    shown = results_of(context)

    assert [len(each) < 300 for each in shown] == [True] * 10 + [False] * 4
    assert shown[0].startswith("The tool says this")
    assert shown[0].endswith(" tokens left out; item fco_0")
    assert [each["item_id"] for each in context["shortened"]] == [f"fco_{number}" for number in range(10)]
    assert all(each["tokens"] < 60 < each["left_out_tokens"] for each in context["shortened"])
    assert recount(context["messages"], real_count) == context["tokens"]
    whole = get(api, path, tool_results="whole")
    assert "shortened" not in whole
    assert results_of(whole) == [WORDS * 20] * 14


@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
@pytest.mark.parametrize("name", ["chat", "items", "anthropic", "gemini", "text"])
def test_it_counts_what_is_sent(
    api: httpx.Client, make_api: Callable[[], httpx.Client], name: str, encoding: str
) -> None:
    path = make(api, *[WORDS * 20] * 13, WORDS * 400)
    context = get(api, path, format=name, encoding=encoding, budget=4_000)
    again = get(make_api(), path, format=name, encoding=encoding, budget=4_000)

    assert again == context
    assert len(context["shortened"]) == 11
    if name == "chat":
        counted = api.post("/v1/tokens/count", json={"encoding": encoding, "messages": context["messages"]}).json()
        assert counted["tokens"] == context["tokens"]


def test_a_result_that_would_fill_the_budget_leaves_three_quarters(api: httpx.Client) -> None:
    path = make(api, WORDS * 300)

    refused = api.get(f"{path}/context", params={"budget": 1_500, "format": "chat"})
    assert refused.status_code == 422
    context = get(api, path, budget=1_500)
    [shown] = results_of(context)

    assert 150 < context["tokens"] < 450
    assert shown.startswith("The tool says")
    assert shown.endswith("so many words. ")
    assert "tokens left out; item fco_0\n" in shown


def test_the_beginning_changes_in_one_call_of_ten(api: httpx.Client) -> None:
    path = make(api)
    contexts = []
    for number in range(33):
        append(api, path, *turn(number, WORDS * 12))
        contexts.append(get(api, path)["messages"])
    changed = [before != after[: len(before)] for before, after in pairwise(contexts)]

    assert sum(changed) == 3


def test_a_cold_instance_reads_as_much_as_short_results_need_in_one_request(
    api: httpx.Client, upstash: LocalUpstash, make_api: Callable[[], httpx.Client]
) -> None:
    path = make(api, *[WORDS * 60] * 40)
    warm = get(api, path, budget=2_000)
    cold = make_api()
    upstash.reset()
    context = get(cold, path, budget=2_000)
    requests = upstash.requests

    assert context == warm
    assert context["tokens"] > 1_800
    assert requests == 1


def test_what_the_explanation_says_of_them(api: httpx.Client) -> None:
    path = make(api, *[WORDS * 20] * 14)
    context = get(api, path, explain=True)
    rows = [row for row in context["explanation"]["units"] if "left_out_tokens" in row]

    assert len(rows) == 10
    assert [row["left_out_tokens"] for row in rows] == [each["left_out_tokens"] for each in context["shortened"]]
    assert {row["state"] for row in rows} == {"shortened"}
    kept = [row["tokens"] for row in context["explanation"]["units"] if row["state"] != "omitted"]
    assert sum(kept) == context["tokens"]


def test_a_fork_shows_the_same(api: httpx.Client) -> None:
    path = make(api, *[WORDS * 20] * 18)
    fork = api.post(f"{path}/fork", json={"after": "fco_13"}).json()["id"]
    original = make(api, *[WORDS * 20] * 14)

    assert results_of(get(api, f"/v1/conversations/{fork}", stable_prefix=True, budget=1_500)) == results_of(
        get(api, original, stable_prefix=True, budget=1_500)
    )
