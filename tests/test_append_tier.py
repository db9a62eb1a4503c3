"""An append with a context says where that came from, in Cache-Status, as a read does."""

from collections.abc import Callable

import httpx

QUESTION = {"role": "user", "content": "And in Rome?"}
STATUS = "cache-status"


def turn(api: httpx.Client, path: str, budget: int = 400) -> httpx.Response:
    answer = api.post(f"{path}/items", json={"items": [QUESTION], "context": {"budget": budget}})
    assert answer.status_code == 200, answer.text
    return answer


def test_it_is_new_or_held_or_held_in_part(make_api: Callable[[], httpx.Client]) -> None:
    one, other = make_api(), make_api()
    path = f"/v1/conversations/{one.post('/v1/conversations', json={'items': [QUESTION]}).json()['id']}"
    first, second = turn(one, path), turn(one, path)
    turn(other, path)
    third, fourth = turn(one, path), turn(one, path)
    partial = "Warmthread; fwd=partial; stored; detail=L2"  # What it held, and the turn that it did not see.
    held = "Warmthread; hit; fwd=stale; fwd-status=304; detail=L1"

    assert [each.headers[STATUS] for each in (first, second, third, fourth)] == [
        "Warmthread; fwd=miss; stored; detail=L2",
        held,
        partial,
        held,
    ]
    assert third.json()["context"]["kept"]["items"] == 5


def test_a_read_of_news_says_it_too(make_api: Callable[[], httpx.Client]) -> None:
    one, other = make_api(), make_api()
    path = f"/v1/conversations/{one.post('/v1/conversations', json={'items': [QUESTION]}).json()['id']}"
    one.get(f"{path}/items")
    other.post(f"{path}/items", json={"items": [QUESTION]})
    paths = (f"{path}/items", f"{path}/context?budget=400", path)
    found = []
    for each in paths:
        found.append(one.get(each).headers[STATUS])
        other.post(f"{path}/items", json={"items": [QUESTION]})

    assert found == ["Warmthread; fwd=partial; stored; detail=L2"] * 3


def test_without_a_context_there_is_no_tier(make_api: Callable[[], httpx.Client]) -> None:
    api = make_api()
    path = f"/v1/conversations/{api.post('/v1/conversations', json={}).json()['id']}"
    without = api.post(f"{path}/items", json={"items": [QUESTION]})
    too_small = turn(api, path, budget=1)

    assert "error" in too_small.json()["context"]
    assert STATUS not in without.headers
    assert STATUS not in too_small.headers
