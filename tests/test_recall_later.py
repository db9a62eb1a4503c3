"""What was appended without terms is indexed by the sweep and behind a compaction, whatever happened in between."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from shared.conversations.indexing import PAGE_ITEMS
from shared.environment import read_settings
from shared.store import keys
from shared.store.script import scripts
from tests.half_way import wait_until
from tests.instances import client_of, running_instance
from tests.stored_terms import WORDS, expected, live_on, read_index
from tests.swept import age_unswept, sweep

pytestmark = pytest.mark.usefixtures("fresh_crons")

Fields = Callable[[str], dict[str, str]]


@pytest.fixture
def without(key: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """An instance that keeps no terms, called as the test's tenant."""
    monkeypatch.setenv("WARMTHREAD_RECALL", "off")
    with running_instance() as url, client_of(url, key) as client:
        monkeypatch.delenv("WARMTHREAD_RECALL")
        yield client


@pytest.fixture
def fields(run: Callable[..., Any], key_of: Callable[[str], str]) -> Fields:
    """Return what is stored of a conversation."""

    def stored(conversation: str) -> dict[str, str]:
        flat = run("HGETALL", key_of(conversation))
        return dict(zip(flat[::2], flat[1::2], strict=True))

    return stored


@pytest.fixture
def swept(run: Callable[..., Any], tenant: str, api: httpx.Client) -> Callable[[], dict[str, Any]]:
    """Let all that was written be two minutes old, no sweep have looked at it, and one look at it."""

    def look() -> dict[str, Any]:
        age_unswept(run, tenant)
        return sweep(api)

    return look


def terms_bytes(stored: dict[str, str]) -> int:
    return sum(len(value) for name, value in stored.items() if name in ("to", "tq", "td") or name.startswith("t:"))


def bytes_of(stored: dict[str, str]) -> int:
    """Return what a conversation takes that has batches, and no summary."""
    gone = [name for name, value in stored.items() if name.startswith("i:") and value.endswith(".5")]
    entries = sum(len(value.encode()) for name, value in stored.items() if name.isdecimal())
    batches = sum(name.startswith("b:") for name in stored)
    kept = 64 * batches + sum(2 * (len(name) - 2) + 16 for name in gone) + len(stored["m"])
    return entries + kept + terms_bytes(stored)


def said(draw: random.Random, count: int) -> list[dict[str, Any]]:
    return [
        {"role": draw.choice(["user", "assistant", "system"]), "content": " ".join(draw.choices(WORDS, k=3)) + f" {at}"}
        for at in range(count)
    ]


def of_quoted(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in items if each["role"] != "system"]


@pytest.mark.parametrize("seed", range(8))
def test_the_index_is_whole_after_a_sweep(
    api: httpx.Client,
    without: httpx.Client,
    fields: Fields,
    swept: Callable[[], dict[str, Any]],
    seed: int,
) -> None:
    draw = random.Random(seed)
    conversation = str(api.post("/v1/conversations", json={}).json()["id"])
    live: list[dict[str, Any]] = []
    for _ in range(12):
        what = draw.choice(["append", "append", "append", "delete", "fork", "compact", "sweep"])
        if what == "sweep":
            assert swept()["failed"] == 0
        else:
            through, more = draw.choice([api, without]), said(draw, draw.randint(1, 100))
            conversation, live = live_on(draw, through, what, conversation, live, more)
        stored = fields(conversation)
        places = {int(stored[f"i:{item['id']}"]): item["id"] for item in live}
        found, facts = read_index(stored)
        lowest = int(facts[7]) if facts else 0
        assert int(stored["b"]) == bytes_of(stored)
        # What it has is right, and from the lowest place on it is all until something was appended without terms.
        whole = expected(of_quoted(live))
        told = {places[place]: terms for place, terms in found.items() if place in places}
        assert len(told) == len(found)
        assert told == {item: whole[item] for item in told}
        if facts and facts[1] == stored["g"] and facts[8] == stored["w"]:
            assert told == {id_: whole[id_] for place, id_ in places.items() if place >= lowest and id_ in whole}
    before, told_of, after = fields(conversation), swept(), fields(conversation)

    assert told_of["failed"] == 0
    if live:
        places = {int(after[f"i:{item['id']}"]): item["id"] for item in live}
        found, facts = read_index(after)
        assert {places[place]: terms for place, terms in found.items()} == expected(of_quoted(live))
        assert facts[7:9] == ["1", after["w"]]
        assert int(facts[4]) == len(found)
        assert int(facts[5]) == sum(sum(terms.values()) for terms in found.values())
    assert int(after["b"]) - int(before["b"]) == terms_bytes(after) - terms_bytes(before)
    assert swept()["indexed"] == 0


def test_a_compaction_asked_for_indexes_what_lacks(api: httpx.Client, without: httpx.Client, fields: Fields) -> None:
    items = said(random.Random(1), 300)
    created = without.post("/v1/conversations", json={}).json()
    path = f"/v1/conversations/{created['id']}"
    live: list[dict[str, Any]] = []
    for at in range(0, len(items), 100):
        live += without.post(f"{path}/items", json={"items": items[at : at + 100]}).json()["data"]
    assert "ti" not in fields(created["id"])
    assert without.post(f"{path}/compact").status_code == 200
    assert "ti" not in fields(created["id"])

    assert api.post(f"{path}/compact").status_code == 200
    wait_until(lambda: read_index(fields(created["id"]))[1][7:8] == ["1"])
    found, _ = read_index(fields(created["id"]))
    assert len(found) == len(of_quoted(items))
    for place, item in enumerate(live, 1):
        assert found.get(place) == expected(of_quoted([item])).get(item["id"])


def test_indexing_takes_ten_commands_a_page(
    without: httpx.Client, swept: Callable[[], dict[str, Any]], billed_commands: Callable[[], int]
) -> None:
    path = f"/v1/conversations/{without.post('/v1/conversations', json={}).json()['id']}"
    for _ in range(8):
        assert without.post(f"{path}/items", json={"items": said(random.Random(3), 64)}).status_code == 200
    costs = []
    for indexed in (1, 0):
        before = billed_commands()
        assert swept()["indexed"] == indexed
        costs.append(billed_commands() - before)

    assert costs[0] - costs[1] <= 10 * 8 * 64 / PAGE_ITEMS


def test_what_is_indexed_later_is_found_from_the_next_message_on(
    api: httpx.Client,
    make_api: Callable[[], httpx.Client],
    without: httpx.Client,
    swept: Callable[[], dict[str, Any]],
) -> None:
    booked = {"role": "assistant", "content": "Done, your booking number is KX-4471."}
    others = [{"role": ("user", "assistant")[at % 2], "content": "And something else. " * 5} for at in range(40)]
    path = f"/v1/conversations/{without.post('/v1/conversations', json={'items': [booked, *others]}).json()['id']}"
    asked = {"items": [{"role": "user", "content": "What was the number of my booking?"}]}
    assert api.post(f"{path}/items", json=asked).status_code == 200
    context = f"{path}/context?budget=300&recall_budget=25"
    before = api.get(context).json()
    assert before["recalled"] == []
    assert swept()["indexed"] == 1

    # Tools that answer find the context as it was, on whichever instance.
    assert api.get(context).json() == before
    assert make_api().get(context).json() == before
    assert api.post(f"{path}/items", json=asked).status_code == 200
    for each in (api, make_api()):
        told = each.get(context).json()
        assert "KX-4471" in str(told["input"][-2])
        assert told["recalled_from"] == told["recalled"][0]["item_id"]


def test_what_was_deleted_meanwhile_is_not_added(
    api: httpx.Client, without: httpx.Client, fields: Fields, tenant: str, run: Callable[..., Any]
) -> None:
    created = without.post("/v1/conversations", json={"items": said(random.Random(2), 3)}).json()
    path = f"/v1/conversations/{created['id']}"
    [first, *_] = api.get(f"{path}/items?order=asc").json()["data"]
    names = [keys.tenant_key(tenant), keys.conversation_key(tenant, created["id"]), keys.rows_key(tenant, 0)]
    bytes_max = read_settings().conversation_bytes_max

    def index_older(bytes_max: int, *page: Any) -> list[Any]:
        limits = [created["id"], "1", bytes_max, PAGE_ITEMS, 100_000]
        source = scripts.source("index_older", locks_keys=False)
        reply: list[Any] = run("EVAL", source, len(names), *names, *limits, *page)
        return reply

    _, _, generation, lowest, deleted, older = index_older(bytes_max, "", "", "", "")
    assert older[::2] == ["3", "2", "1"]
    terms = [1, 1, first["id"], "aaaaa1"]
    assert api.delete(f"{path}/items/{first['id']}").status_code == 200

    _, is_added, _, lowest_now, deleted_now, older = index_older(bytes_max, generation, lowest, deleted, *terms)
    assert (is_added, older[::2]) == ("0", ["4", "3", "2", "1"])
    assert index_older(10, generation, lowest_now, deleted_now, *terms) == ["bytes"]
    assert "ti" not in fields(created["id"])
    assert index_older(bytes_max, "another", lowest_now, deleted_now, *terms)[1] == "0"
    assert index_older(bytes_max, generation, lowest, deleted_now, *terms)[1] == "0"
    assert index_older(bytes_max, generation, lowest_now, deleted_now, *terms)[1] == "1"
