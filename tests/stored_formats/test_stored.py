"""
What earlier releases left in a store, this one goes on with: it reads, repeats, appends, deletes, sums up, compacts,
forks, settles and sweeps as if it had written it itself.

Each fixture of tests/data/stored is loaded into a real Valkey whose scripts see the time at which it was written.
"""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from scripts.storing.families import families_of, patterns
from scripts.storing.making import DOCUMENTS
from shared.items.kinds import Kind
from shared.items.types import ITEM_TYPES
from shared.request.roles import APPEND, FULL, READ, ROLES, is_enough
from shared.store import keys
from tests.bearers import CRON, METRICS_SECRET, NOTICE
from tests.half_way import check_indexes
from tests.instances import client_of
from tests.pages import ROOT, read
from tests.stored import Stored, items_of, post, read_stored, versions

pytestmark = pytest.mark.unmeasured

KINDS = {*map(str, Kind), "x", "-", "m", "z", "E", "O"} - {Kind.OTHER}
"""What an entry may be (shared/conversations/entries.py); no message can have a role that is another than the known."""

HEADER = {"g", "v", "o", "h", "n", "w", "d", "b", "p", "e", "t", "c", "m", "x", "pin", "y", "docs", "last"} | {
    *("r", "s", "sc", "ti", "to", "tq", "td", "f", "im", "us", "ag", "cu"),
}


def lacks(expected: Any, actual: Any, at: str = "") -> list[str]:
    """Return where *actual* is not *expected*; what an object has besides is no matter."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return [
            found
            for name, value in expected.items()
            for found in (lacks(value, actual[name], f"{at}.{name}") if name in actual else [f"{at}.{name} is gone"])
        ]
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return [
            found
            for number, each in enumerate(zip(expected, actual, strict=True))
            for found in lacks(*each, f"{at}[{number}]")
        ]
    return [] if expected == actual else [f"{at}: {actual!r} instead of {expected!r}"]


@pytest.fixture(scope="module")
def made_now(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """What `scripts/stored` writes of the code as it is."""
    folder = tmp_path_factory.mktemp("stored")
    command = [sys.executable, "-m", "scripts.storing", "now", "--folder", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return read_stored("now", folder)


def fields_of(stored: Stored) -> set[str]:
    """Return the fields of all conversations, what follows a colon left out; those of entries as `entry <kind>`."""
    conversations = [stored.values[name] for name in families_of(stored.values)["conversation_key"]]
    fields = {name.partition(":")[0] for each in conversations for name in each if not name.isdigit()}
    return fields | {f"entry {entry.split(' ', 3)[2]}" for entry in entries_of(stored)}


def entries_of(stored: Stored) -> list[str]:
    conversations = [stored.values[name] for name in families_of(stored.values)["conversation_key"]]
    return [value for each in conversations for name, value in each.items() if name.isdigit()]


def test_the_newest_fixture_holds_every_family_of_names_and_every_field_that_is_written_today(made_now: Stored) -> None:
    """Where a format has grown, `scripts/stored unreleased --again` writes it anew."""
    newest = read_stored(versions()[-1])

    assert families_of(newest.values).keys() == families_of(made_now.values).keys() == patterns().keys()
    assert (
        fields_of(newest) == fields_of(made_now) == HEADER | {"i", "b", "q", "t"} | {f"entry {kind}" for kind in KINDS}
    )


def test_the_newest_fixture_holds_every_type_of_item() -> None:
    entries = entries_of(read_stored(versions()[-1]))

    assert [name for name in ITEM_TYPES if not any(f'"type":"{name}"' in entry for entry in entries)] == []


def test_a_name_of_no_family_would_be_found() -> None:
    assert families_of(["wt2:{a}:news:1", keys.HOT_KEY]) == {"": {"wt2:{a}:news:1"}, "HOT_KEY": {keys.HOT_KEY}}


def test_what_was_answered_is_answered(stored: Stored, api: httpx.Client) -> None:
    wrong = []
    for asked in stored.reads:
        answer = api.get(asked["path"])
        is_json = answer.headers["content-type"].startswith("application/json")
        wrong += lacks(asked["answer"], answer.json() if is_json else answer.text, asked["path"])

    assert wrong == []


@pytest.mark.parametrize("is_longer", [False, True])
def test_what_was_done_is_known_when_it_comes_again(
    is_longer: bool, stored: Stored, api: httpx.Client, run: Callable[..., Any]
) -> None:
    """Also where a newer release kept more of its reply."""
    before = stored.values
    if is_longer:
        for name in families_of(before)["attempt_key"]:
            run("SET", name, f'{before[name][:-1]},"news"]', "KEEPTTL")
    ended, wrong = [], []
    for write in stored.writes:
        answer = api.request(
            write["method"], write["path"], json=write["body"], headers={"idempotency-key": write["key"]}
        )
        if answer.status_code == httpx.codes.CONFLICT:
            ended.append(answer.json()["type"].rpartition(":")[2])
            continue
        wrong += lacks(write["answer"], answer.json(), f"{write['method']} {write['path']}")

    assert wrong == []
    assert set(ended) <= {"reservation-ended"}
    for name in families_of(before)["conversation_key"]:
        assert run("HGET", name, "v") == before[name]["v"]


def test_every_conversation_goes_on(stored: Stored, api: httpx.Client, run: Callable[..., Any]) -> None:
    for name in stored.about["conversations"]:
        if name == "gone":
            continue
        path = stored.path(name)
        before = items_of(api, path)
        news = [{"role": "user", "content": "Go on."}, {"role": "assistant", "content": "I do."}]
        added = post(api, f"{path}/items", {"items": news})
        assert items_of(api, path) == [*before, *added["data"]]
        context = api.get(f"{path}/context?budget=100000&format=items").raise_for_status().json()
        assert [each["id"] for each in context["input"]][-2:] == [each["id"] for each in added["data"]]
        fork = f"/v1/conversations/{post(api, f'{path}/fork', {})['id']}"
        assert items_of(api, fork) == items_of(api, path)
        assert api.delete(f"{path}/items/{added['data'][0]['id']}").status_code == 200
        post(api, f"{path}/summary", {"through": added["data"][1]["id"], "text": "All of it."})
        post(api, path, {"metadata": {"went": "on"}})
        post(api, f"{path}/compact", {})
        assert items_of(api, path) == [*before, added["data"][1]]
        assert api.get(path).json()["metadata"] == {"went": "on"}
        assert api.get(f"{path}/summary").json()["text"] == "All of it."
    assert api.get("/api/cron/sweep", headers=CRON).json()["conversations"]["outcome"] == "done"
    check_indexes(run, "fixture")


def test_what_a_store_left_half_done_is_made_right(stored: Stored, api: httpx.Client, run: Callable[..., Any]) -> None:
    rows = [value for name in families_of(stored.values)["rows_key"] for value in stored.values[name].values()]
    assert any(row.startswith("?") for row in rows)

    listed = api.get("/v1/conversations?limit=100").raise_for_status().json()["data"]
    gone = stored.about["conversations"]["gone"]
    assert {each["id"] for each in listed} == {*stored.about["conversations"].values()} - {gone}
    assert api.get(f"/v1/conversations?after={gone}").status_code == 200
    assert api.get("/api/cron/sweep", headers=CRON).json()["conversations"]["outcome"] == "done"
    assert run("EXISTS", keys.built_key("fixture")) == 0
    check_indexes(run, "fixture")


def test_reservations_are_settled_and_released(stored: Stored, api: httpx.Client) -> None:
    named = stored.about["reservations"]
    before = api.get("/v1/usage").json()["month"]["tokens"]

    def settle(name: str, **used: int) -> httpx.Response:
        return api.post(f"/v1/reservations/{named[name]}/settle", json=used)

    assert before["reserved"] == 500 + 80
    assert settle("live", tokens=400).json()["overrun"]["tokens"] == 0
    assert settle("settled", input_tokens=250, output_tokens=150).status_code == 200
    assert settle("half settled", tokens=7).status_code == 200
    assert settle("half settled", tokens=8).status_code == httpx.codes.CONFLICT
    assert api.delete(f"/v1/reservations/{named['released']}").status_code == 200
    after = api.get("/v1/usage").json()["month"]["tokens"]
    assert (after["settled"], after["reserved"]) == (before["settled"] + 400, 80)
    assert (after["limit"], after["overrun"]) == (before["limit"], before["overrun"])


def test_documents_are_read_and_outdated(stored: Stored, api: httpx.Client) -> None:
    notice = {"changes": [{"path": "fixture/manual.txt"}]}
    noted = api.post("/v1/changes", json=notice, headers=NOTICE).raise_for_status().json()

    assert noted["kept"] == 1
    assert api.get("/v1/documents/manual.txt").text == DOCUMENTS["manual.txt"]
    context = api.get(f"{stored.path('documents')}/context?budget=2000").json()
    assert [each["path"] for each in context["documents"]] == ["manual.txt", "shared/terms.txt", "missing.txt"]


def test_what_its_instances_counted_is_told(stored: Stored, api: httpx.Client) -> None:
    headers = {"authorization": f"Bearer {METRICS_SECRET}"}
    told = api.get("/api/metrics", headers=headers).raise_for_status().text

    assert f'deployment="{stored.about["deployment"]}"' in told


def test_keys_may_do_what_their_roles_may(stored: Stored, url: str) -> None:
    """Of a release that knew of roles: what it left says which."""
    path = f"/v1/conversations/{stored.about['conversations']['talk']}"
    keys_by_role = {FULL: stored.about["key"], **stored.about.get("keys", {})}
    for role, key in keys_by_role.items():
        with client_of(url, key) as client:
            statuses = [
                client.get(path).status_code,
                client.post(f"{path}/fork", json={}).status_code,
                client.post(path, json={"metadata": {"by": role}}).status_code,
            ]
        assert statuses == [200 if is_enough(role, least) else 403 for least in (READ, APPEND, FULL)]


def test_the_newest_fixture_holds_a_key_of_every_role() -> None:
    newest = read_stored(versions()[-1])
    lesser = {*ROLES} - {FULL}
    fields = [value for name, value in newest.values[keys.tenant_key("fixture")].items() if name.startswith("k:")]

    assert newest.about["keys"].keys() == lesser
    assert {role for value in fields for role in value.split()[1:]} == lesser


def test_the_page_of_formats_names_every_family() -> None:
    page = read("docs/stored-formats.md")

    assert [name for name in patterns() if f"`{name}()`" not in page and f"`{name}`" not in page] == []
