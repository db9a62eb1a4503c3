"""What an answer tells providers' prompt caches, over HTTP: breakpoints, marks, and what was sent with a version."""

from typing import Any

import httpx
import pytest

SYSTEM = {"role": "system", "content": "You answer briefly."}


def turn(number: int) -> list[dict[str, Any]]:
    return [
        {"role": "user", "content": f"What is the weather in town {number}?"},
        {"type": "function_call", "call_id": f"c{number}", "name": "weather", "arguments": f'{{"town":{number}}}'},
        {"type": "function_call_output", "call_id": f"c{number}", "output": "sunny"},
    ]


@pytest.fixture
def path(api: httpx.Client) -> str:
    made = api.post("/v1/conversations", json={"items": [SYSTEM, *turn(1)]}).json()["id"]
    return f"/v1/conversations/{made}"


def get(api: httpx.Client, path: str, **query: Any) -> dict[str, Any]:
    answer = api.get(f"{path}/context", params={"budget": 8_000, **query})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def append(api: httpx.Client, path: str, *items: dict[str, Any]) -> list[str]:
    answer = api.post(f"{path}/items", json={"items": items})
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["data"]]


@pytest.mark.parametrize(("name", "breakpoints"), [("chat", [1, 4]), ("items", [1, 4]), ("anthropic", [0, 3])])
def test_a_stable_window_says_where_its_beginnings_end(
    api: httpx.Client, path: str, name: str, breakpoints: list[int]
) -> None:
    told = get(api, path, format=name, stable_prefix=True)["cache"]

    assert told == {"breakpoints": breakpoints, "key": path.rpartition("/")[2]}
    assert "cache" not in get(api, path, format=name)


def test_before_the_newest_user_message_one_ends_too(api: httpx.Client, path: str) -> None:
    append(api, path, {"role": "assistant", "content": "Sunny."}, *turn(2))
    answer = get(api, path, format="chat", stable_prefix=True)

    assert answer["cache"]["breakpoints"] == [1, 5, 8]
    assert answer["messages"][5]["content"] == "What is the weather in town 2?"


@pytest.mark.parametrize(("ttl", "mark"), [("5m", {"type": "ephemeral"}), ("1h", {"type": "ephemeral", "ttl": "1h"})])
def test_marks_stand_where_the_answer_says(api: httpx.Client, path: str, ttl: str, mark: dict[str, str]) -> None:
    append(api, path, {"role": "assistant", "content": "Sunny."}, *turn(2))
    plain = get(api, path, format="anthropic", stable_prefix=True)
    answer = get(api, path, format="anthropic", cache_control=True, cache_ttl=ttl, stable_prefix=True)
    marked = [at for at, each in enumerate(answer["messages"], 1) if "cache_control" in each["content"][-1]]

    assert answer["system"] == [{"type": "text", "text": "You answer briefly.", "cache_control": mark}]
    assert [0, *marked] == answer["cache"]["breakpoints"] == [0, 4, 7]
    assert all(answer["messages"][at - 1]["content"][-1]["cache_control"] == mark for at in marked)
    assert answer["tokens"] == plain["tokens"]
    assert get(api, path, format="anthropic", stable_prefix=True) == plain


def test_what_was_sent_with_a_version_is_counted(api: httpx.Client, path: str) -> None:
    first = get(api, path, format="chat", stable_prefix=True)
    append(api, path, {"role": "assistant", "content": "Sunny."}, *turn(2))
    second = get(api, path, format="chat", stable_prefix=True, since=first["version"])
    same = get(api, path, format="chat", stable_prefix=True, since=second["version"])
    never = get(api, path, format="chat", stable_prefix=True, since=0)

    assert second["messages"][: len(first["messages"])] == first["messages"]
    assert second["cache"]["tokens"] == first["tokens"] - 3
    assert same["cache"]["tokens"] == second["tokens"] - 3
    assert never["cache"]["tokens"] == 0


def test_behind_what_was_deleted_nothing_is_the_same(api: httpx.Client, path: str) -> None:
    [answered, *_] = append(api, path, {"role": "assistant", "content": "Sunny."}, *turn(2))
    before = get(api, path, format="chat", stable_prefix=True)
    assert api.delete(f"{path}/items/{answered}").status_code == 200
    append(api, path, {"role": "assistant", "content": "Sunny, too."})
    after = get(api, path, format="chat", stable_prefix=True, since=before["version"])
    kept = get(api, path, format="chat", stable_prefix=True, since=4)

    assert after["messages"][:4] == before["messages"][:4]
    assert after["messages"][4] != before["messages"][4]
    assert after["cache"]["tokens"] == kept["cache"]["tokens"]


def test_a_new_system_message_moves_all_where_it_stands_apart(api: httpx.Client, path: str) -> None:
    first = get(api, path, format="anthropic", stable_prefix=True)
    append(api, path, {"role": "assistant", "content": "Sunny."}, {"role": "system", "content": "In French."})
    append(api, path, *turn(2))
    apart = get(api, path, format="anthropic", stable_prefix=True, since=first["version"])
    among = get(api, path, format="chat", stable_prefix=True, since=first["version"])

    assert apart["cache"]["tokens"] == 0
    assert among["cache"]["tokens"] > 0


def test_a_window_that_moved_begins_with_the_system_alone(api: httpx.Client, path: str) -> None:
    for number in range(2, 12):
        append(api, path, {"role": "assistant", "content": "Sunny."}, *turn(number))
    before = get(api, path, format="chat", stable_prefix=True, budget=200)
    moved, number = before, 12
    while moved["kept"]["first_id"] == before["kept"]["first_id"]:
        append(api, path, {"role": "assistant", "content": "Sunny."}, *turn(number))
        moved, number = (
            get(api, path, format="chat", stable_prefix=True, budget=200, since=before["version"]),
            number + 1,
        )
    system = api.post("/v1/conversations", json={"items": [SYSTEM, {"role": "user", "content": "x"}]}).json()["id"]
    head = get(api, f"/v1/conversations/{system}", format="chat")["tokens"] - 3

    assert 0 < moved["cache"]["tokens"] < head
