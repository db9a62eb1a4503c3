"""
What newer releases may add to what is stored (docs/stored-formats.md): this one passes it over, and leaves it there
where it can.
"""

import re
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest

from scripts.storing.families import families_of
from shared.store import keys
from tests.bearers import CRON, METRICS_SECRET
from tests.half_way import check_indexes
from tests.stored import Stored, items_of, post

pytestmark = pytest.mark.unmeasured


def with_fact(entry: str) -> str:
    """Return *entry*, of an item with no more facts than it has to have, with one that nobody knows, behind all."""
    head, _, body = entry.partition("\n")
    return f'{head[:-1]},[],"",0,{{}},[],{{"new":1}}]\n{body}'


def with_type(entry: str) -> str:
    return entry.replace('"type":"message"', '"type":"telepathy"')


def with_middle(value: str) -> str:
    """Return what is known of a batch, with something between its chain hash and its time."""
    version, chain, at = value.split(" ")
    return f"{version} {chain} new {at}"


def with_record(run: Callable[..., Any], stored: Stored) -> None:
    """Write a record that is no item behind the conversation TALK."""
    name = stored.key(TALK)
    place = int(run("HGET", name, "v")) - int(run("HGET", name, "o") or 0) + 1
    entry = f'{"e" * 16} {run("HGET", name, "w")} Q ["news"]\nof a newer release'
    run("HSET", name, str(place), entry, "h", "e" * 16)
    run("HINCRBY", name, "v", 1)
    run("HINCRBY", name, "b", len(entry))


def with_column(block: str) -> str:
    return orjson.dumps([[*columns, *[[]][: 7 - len(columns)], 1] for columns in orjson.loads(block)]).decode()


def of_the_month(run: Callable[..., Any], prefix: str) -> str:
    fields: list[str] = run("HKEYS", keys.tenant_key("fixture"))
    return max(each for each in fields if each.startswith(prefix))


TALK, BATCH = "talk", "b:"
NEWER: dict[str, Callable[[Callable[..., Any], Stored], None]] = {
    "a field of a conversation": lambda run, stored: run("HSET", stored.key(TALK), "zz", "1"),
    "a fact of an item": lambda run, stored: change(run, stored.key(TALK), "1", with_fact),
    "a type of item": lambda run, stored: change(run, stored.key(TALK), "2", with_type),
    "what is known of a batch": lambda run, stored: change(run, stored.key(TALK), BATCH, with_middle),
    "counts in another encoding": lambda run, stored: run("HSET", stored.key(TALK), "q:next:0", "[[1,2]]"),
    "a record of a kind in capitals": with_record,
    "a column of kept counts": lambda run, stored: change(run, stored.key(TALK), "q:", with_column),
    "a field of a tenant": lambda run, stored: run("HSET", keys.tenant_key("fixture"), "zz:1", "2"),
    "a row in another form": lambda run, stored: run(
        "HSET", rows_of(stored), stored.about["conversations"][TALK], "2;new"
    ),
    "a field of a document": lambda run, stored: run("HSET", keys.document_key("fixture", "manual.txt"), "zz", "1"),
    "a mark in another form": lambda run, stored: change(
        run, keys.document_marks_key("fixture"), "manual.txt", lambda mark: mark.replace(" ", " 9 ", 1)
    ),
    "how far the sweep is": lambda run, stored: run("HSET", keys.TENANTS_KEY, "fixture", "v2:abc"),
    "a series of the metrics": lambda run, stored: run(
        "HSET", keys.metrics_key(stored.about["deployment"]), "news of 1", "a b c"
    ),
}
"""What a newer release may add (docs/stored-formats.md), by what it is added to."""


@pytest.mark.parametrize("what", NEWER)
def test_what_a_newer_release_may_add_is_passed_over(
    what: str, stored: Stored, api: httpx.Client, run: Callable[..., Any]
) -> None:
    path, metrics = stored.path(TALK), {"authorization": f"Bearer {METRICS_SECRET}"}
    before = [each["id"] for each in items_of(api, path)]
    NEWER[what](run, stored)
    for model in ("gpt-4o", "gpt-4"):
        assert api.get(f"{path}/context?model={model}&budget=4000").status_code == 200
    added = post(api, f"{path}/items", {"items": [{"role": "user", "content": "Go on."}]})["data"]
    fork = f"/v1/conversations/{post(api, f'{path}/fork', {})['id']}"
    post(api, f"{path}/compact", {})

    assert [each["id"] for each in items_of(api, path)] == [*before, added[0]["id"]]
    assert items_of(api, fork) == items_of(api, path)
    for model in ("gpt-4o", "gpt-4"):
        assert api.get(f"{path}/context?model={model}&budget=4000").status_code == 200
    assert api.get(f"{stored.path('documents')}/context?budget=2000").status_code == 200
    assert api.get("/v1/usage").status_code == 200
    listed = api.get("/v1/conversations?limit=100").raise_for_status().json()["data"]
    assert stored.about["conversations"][TALK] in [each["id"] for each in listed]
    assert api.get("/api/cron/sweep", headers=CRON).json()["conversations"]["failed"] == 0
    assert api.get("/api/metrics", headers=metrics).status_code == 200


def test_a_record_that_is_no_item_is_passed_over_by_all(
    stored: Stored, api: httpx.Client, run: Callable[..., Any]
) -> None:
    """Read from the store and from memory, forked behind it and before it, summed up, deleted around."""
    path = stored.path(TALK)
    before = items_of(api, path)
    assert api.get(f"{path}/context?budget=4000").status_code == 200
    with_record(run, stored)
    with_record(run, stored)
    assert items_of(api, path) == before
    news = {"items": [{"role": "user", "content": "Go on."}], "context": {"budget": 4000}}
    added = post(api, f"{path}/items", news)["data"]
    for after, items in ((before[-1]["id"], before), (added[0]["id"], [*before, *added])):
        fork = f"/v1/conversations/{post(api, f'{path}/fork', {'after': after})['id']}"
        assert items_of(api, fork) == items
        assert post(api, f"{fork}/items", {"items": [{"role": "user", "content": "Here, too."}]})["data"]
    post(api, f"{path}/summary", {"through": added[0]["id"], "text": "All of it."})
    assert api.delete(f"{path}/items/{before[-1]['id']}").status_code == 200
    context = api.get(f"{path}/context?budget=4000").raise_for_status().json()

    assert items_of(api, path) == [*before[:-1], *added]
    assert context["summary"]["through"] == added[0]["id"]
    assert api.get("/api/cron/sweep", headers=CRON).json()["conversations"]["outcome"] == "done"
    check_indexes(run, "fixture")


def test_a_fact_more_of_a_summary_is_passed_over(stored: Stored, api: httpx.Client, run: Callable[..., Any]) -> None:
    name = next(each for each in stored.about["conversations"] if run("HGET", stored.key(each), "y"))
    path, key = stored.path(name), stored.key(name)
    told = api.get(f"{path}/summary").raise_for_status().json()
    place = run("HGET", key, "y")
    change(run, key, place, lambda entry: re.sub(r"(,\d+,\d+\]\n)", r',{"news":[1]}\1', entry, count=1))

    assert api.get(f"{path}/summary").raise_for_status().json() == told
    post(api, f"{path}/compact", {})
    assert api.get(f"{path}/summary").raise_for_status().json() == told
    fork = f"/v1/conversations/{post(api, f'{path}/fork', {})['id']}"
    assert api.get(f"{fork}/summary").raise_for_status().json()["text"] == told["text"]
    assert api.delete(f"{path}/summary").status_code == 200


def test_numbers_more_of_budgets_stay(stored: Stored, api: httpx.Client, run: Callable[..., Any]) -> None:
    """What a newer release counts in a window, or of a model, is there after this one has written beside it."""
    tenant, named = keys.tenant_key("fixture"), stored.about["reservations"]
    window, models = of_the_month(run, "w:"), of_the_month(run, "u:")
    before = api.get("/v1/usage").raise_for_status().json()
    change(run, tenant, window, lambda numbers: f"{numbers} 77")
    change(run, tenant, models, lambda lines: lines.replace("\n", " 88\n"))
    assert api.get("/v1/usage").raise_for_status().json() == before
    settled = f"/v1/reservations/{named['settled']}/settle"
    for each in families_of(stored.values)["reservation_records_key"]:
        change(run, each, named["settled"], lambda record: f"{record} 99")
    assert api.post(settled, json={"input_tokens": 250, "output_tokens": 150}).status_code == 200
    made = post(api, "/v1/reservations", {"tokens": 10, "usd": 0.001})
    post(api, f"/v1/reservations/{made['id']}/settle", {"tokens": 5, "usd": 0.001})

    assert run("HGET", tenant, window).endswith(" 77")
    assert " 88\n" in run("HGET", tenant, models)
    after = api.get("/v1/usage").raise_for_status().json()
    assert after["month"]["tokens"]["settled"] == before["month"]["tokens"]["settled"] + 5


def change(run: Callable[..., Any], name: str, field: str, how: Callable[[str], str]) -> None:
    """Change the value of a field of the hash *name*; of each whose name begins so where *field* ends with a colon."""
    fields = [each for each in run("HKEYS", name) if each.startswith(field)] if field.endswith(":") else [field]
    assert fields
    for each in fields:
        before = run("HGET", name, each)
        assert how(before) != before
        run("HSET", name, each, how(before))


def rows_of(stored: Stored) -> str:
    """Return the name of the rows in which the conversation TALK has its own."""
    names = families_of(stored.values)["rows_key"]
    [found] = [name for name in names if stored.about["conversations"][TALK] in stored.values[name]]
    return found
