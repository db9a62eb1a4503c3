"""How much of a conversation a budget leaves out, and where a summary may end, over HTTP."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

WORDS = "So many words are said here. "


def make(api: httpx.Client, turns: int) -> str:
    items: list[dict[str, Any]] = [{"role": "system", "content": "You answer briefly."}]
    for number in range(turns):
        items += [
            {"id": f"u{number}", "role": "user", "content": f"{number}: {WORDS * 4}"},
            {"id": f"a{number}", "role": "assistant", "content": WORDS * 4},
        ]
    made = api.post("/v1/conversations", json={"items": items}).json()["id"]
    return f"/v1/conversations/{made}"


def get(api: httpx.Client, path: str, **query: Any) -> dict[str, Any]:
    answer = api.get(f"{path}/context", params={"budget": 500, "format": "chat", **query})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def tokens_of(api: httpx.Client, path: str) -> int:
    """What all of it counts, without the reply's three."""
    return int(get(api, path, budget=100_000)["tokens"]) - 3


def test_where_all_fits_it_tells_how_full_the_budget_is(api: httpx.Client) -> None:
    path = make(api, 5)
    context = get(api, path, budget=1_000, overhead_tokens=200)
    tokens = tokens_of(api, path)

    assert context["pressure"] == {
        "ratio": round(tokens / 800, 4),
        "tokens": tokens,
        "omitted_tokens": 0,
        "summarise_through": "a1",
    }


def test_a_summary_up_to_there_takes_the_pressure_off(api: httpx.Client, make_api: Callable[[], httpx.Client]) -> None:
    path = make(api, 20)
    context = get(api, path)
    pressure = context["pressure"]
    assert pressure["omitted_tokens"] == context["omitted"]["tokens"] > 0
    assert pressure["ratio"] > 2
    assert get(make_api(), path)["pressure"] == pressure
    shown = [message["content"][:3] for message in context["messages"] if message["role"] == "user"]

    through = pressure["summarise_through"]
    made = api.post(f"{path}/summary", json={"through": through, "text": "Words were said."})
    assert made.status_code == 200, made.text
    after = get(api, path)

    assert after["pressure"]["omitted_tokens"] == 0
    assert after["pressure"]["tokens"] == tokens_of(api, path)
    assert after["pressure"]["ratio"] < 0.8
    assert shown[0].rstrip(": ") in through or int(through[1:]) >= int(shown[0].rstrip(": "))
    assert get(make_api(), path)["pressure"] == after["pressure"]


def test_deleted_items_are_no_pressure_on_either_side_of_a_summary(
    api: httpx.Client, make_api: Callable[[], httpx.Client]
) -> None:
    path = make(api, 12)
    api.delete(f"{path}/items/a2")
    api.post(f"{path}/summary", json={"through": "a4", "text": "Five turns."})
    assert get(api, path)["pressure"]["tokens"] == tokens_of(api, path)
    api.delete(f"{path}/items/a1")
    api.delete(f"{path}/items/a7")
    assert get(api, path)["pressure"]["tokens"] == tokens_of(api, path)
    api.post(f"{path}/summary", json={"through": "a6", "text": "Seven turns."})
    api.post(f"{path}/items", json={"items": [{"role": "system", "content": "Be polite."}]})
    assert get(make_api(), path)["pressure"]["tokens"] == tokens_of(api, path)
    fork = api.post(f"{path}/fork", json={}).json()["id"]
    assert get(api, f"/v1/conversations/{fork}")["pressure"]["tokens"] == tokens_of(api, path)
    api.delete(f"{path}/summary")
    assert get(api, path)["pressure"]["tokens"] == tokens_of(api, path)


@pytest.mark.parametrize("open_call", [False, True])
def test_nothing_is_torn(api: httpx.Client, open_call: bool) -> None:
    items: list[dict[str, Any]] = [{"id": "u0", "role": "user", "content": WORDS * 3}]
    for number in range(6):
        items += [
            {"id": f"r{number}", "type": "reasoning", "summary": []},
            {"id": f"c{number}", "type": "function_call", "call_id": f"c{number}", "name": "f", "arguments": "{}"},
            {"id": f"o{number}", "type": "function_call_output", "call_id": f"c{number}", "output": WORDS * 3},
        ]
    items += [{"id": "a", "role": "assistant", "content": "Done."}, {"id": "u1", "role": "user", "content": "More."}]
    if open_call:
        items += [{"id": "c9", "type": "function_call", "call_id": "c9", "name": "f", "arguments": "{}"}]
    made = api.post("/v1/conversations", json={"items": items}).json()["id"]
    path = f"/v1/conversations/{made}"
    through = get(api, path)["pressure"]["summarise_through"]

    assert through == "a"
    assert api.post(f"{path}/summary", json={"through": through, "text": "Six calls."}).status_code == 200


def test_before_the_newest_user_message_there_may_be_no_place(api: httpx.Client) -> None:
    made = api.post("/v1/conversations", json={"items": [{"role": "user", "content": "Hello"}]}).json()["id"]

    assert get(api, f"/v1/conversations/{made}")["pressure"]["summarise_through"] is None
