"""scripts/export keeps a tenant whole, and scripts/import brings it into a store where it is not."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from scripts.exporting.command import run as export
from scripts.faults.server import Fault, FaultyServer
from scripts.importing.command import run as restore
from scripts.local.signals import INTERRUPTED, Stop
from shared.request.caller import read_key
from tests.instances import client_of

pytestmark = pytest.mark.unmeasured

Json = dict[str, Any]


class Done(NamedTuple):
    status: int
    lines: list[Json]
    err: str


class Tenants:
    """Exports of one tenant into *folder*, and imports of that for another, by way of *url*."""

    def __init__(self, url: str, key: str, other: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.url = url
        self.key, self.other, self.folder = key, other, folder
        self._capsys = capsys

    def export(self, *options: str) -> Done:
        tenant = read_key(self.key).tenant
        return self._run(export, tenant, str(self.folder), "--from", self.url, "--key", self.key, *options)

    def restore(self, *options: str) -> Done:
        to = ("--to", self.url, "--key", self.other)
        return self._run(restore, "--from", "warmthread", "--source", str(self.folder), *to, *options)

    def _run(self, command: Callable[[list[str], Stop], int], *arguments: str) -> Done:
        self._capsys.readouterr()
        stop = Stop()
        try:
            status = command([*arguments, "--json"], stop)
        finally:
            stop.undo()
        out, err = self._capsys.readouterr()
        return Done(status, [json.loads(line) for line in out.splitlines() if line.startswith("{")], err)


@pytest.fixture
def other_key(mint: Callable[[], str]) -> str:
    return mint()


@pytest.fixture
def copy(service_url: str, other_key: str) -> Iterator[httpx.Client]:
    with client_of(service_url, other_key) as client:
        yield client


@pytest.fixture
def tenants(service_url: str, key: str, other_key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Tenants:
    return Tenants(service_url, key, other_key, tmp_path / "backup", capsys)


def talk(api: httpx.Client, number: int) -> str:
    items = [{"role": "user", "content": f"{number}: {at}", "id": f"item_{at}"} for at in range(3)]
    told = api.post("/v1/conversations", json={"items": items, "metadata": {"n": str(number)}}).json()
    return str(told["id"])


def all_of(api: httpx.Client) -> list[Json]:
    listed = api.get("/v1/conversations", params={"limit": 100}).json()["data"]
    shown = []
    for each in listed:
        path = f"/v1/conversations/{each['id']}"
        info = api.get(path).json()
        context = api.get(path + "/context", params={"budget": 1_000, "format": "chat"}).json()
        facts = {name: info[name] for name in ("id", "created_at", "metadata", "items", "tokens", "version")}
        shown.append({"info": facts, "items": api.get(path + "/items").json()["data"], "messages": context["messages"]})
    return sorted(shown, key=str)


def test_a_whole_tenant_comes_back_in_an_empty_store(tenants: Tenants, api: httpx.Client, copy: httpx.Client) -> None:
    ids = [talk(api, number) for number in range(7)]
    api.delete(f"/v1/conversations/{ids[2]}/items/item_1")
    api.post(f"/v1/conversations/{ids[3]}/summary", json={"through": "item_1", "text": "so far"})
    told = tenants.export()

    assert (told.status, {each["state"] for each in told.lines}, len(told.lines)) == (0, {"exported"}, 7)
    dry = tenants.restore("--dry-run")
    assert (dry.status, sum(each["items"] for each in dry.lines)) == (0, 20)
    assert copy.get("/v1/conversations").json()["data"] == []
    made = tenants.restore("--concurrency", "1")
    assert (made.status, [each["state"] for each in made.lines]) == (0, ["imported"] * 7)
    assert all_of(copy) == all_of(api)
    same = tenants.restore("--verify")
    assert (same.status, [each["wrong"] for each in same.lines]) == (0, [""] * 7)
    again = tenants.restore()
    assert (again.status, [each["state"] for each in again.lines]) == (0, ["unchanged"] * 7)


def test_only_what_was_used_since_is_exported_again(tenants: Tenants, api: httpx.Client, run: Any, key_of: Any) -> None:
    first, second = talk(api, 1), talk(api, 2)
    tenants.export()
    assert {each["state"] for each in tenants.export().lines} == {"unchanged"}
    name = key_of(first)
    run("HSET", name, "t", int(run("HGET", name, "t")) - 9)  # What comes next is in another second.
    api.post(f"/v1/conversations/{first}/items", json={"items": [{"role": "user", "content": "more"}]})
    api.delete(f"/v1/conversations/{second}")
    talk(api, 3)
    told = {each["id"]: each["state"] for each in tenants.export().lines}

    assert told[first] in ("exported", "unchanged")  # In the same second, which lists cannot tell apart.
    assert second not in told
    assert len([*(tenants.folder / "conversations").iterdir()]) == 3


def test_what_was_spoilt_in_the_folder_is_noticed(tenants: Tenants, api: httpx.Client, copy: httpx.Client) -> None:
    good, bad = talk(api, 1), talk(api, 2)
    tenants.export()
    file = tenants.folder / "conversations" / f"{bad}.jsonl"
    file.write_bytes(file.read_bytes().replace(b"2: 1", b"2: 9"))
    dry, made = tenants.restore("--dry-run"), tenants.restore()

    for done in (dry, made):
        assert done.status == 1
        told = {each["source_id"]: each for each in done.lines}
        assert (told[good]["state"], told[bad]["state"]) == ("imported", "refused")
        assert "another hash" in told[bad]["refusals"][0]["reason"]
    assert [each["id"] for each in copy.get("/v1/conversations").json()["data"]] == [good]
    verified = {each["source_id"]: each["wrong"] for each in tenants.restore("--verify").lines}
    assert (verified[good], "another hash" in verified[bad]) == ("", True)


def test_a_conversation_that_is_there_already_is_left_alone(
    tenants: Tenants, api: httpx.Client, copy: httpx.Client
) -> None:
    taken = talk(api, 1)
    tenants.export()
    copy.post("/v1/conversations", json={"id": taken})
    done = tenants.restore()

    assert (done.status, [each["state"] for each in done.lines]) == (1, ["conflict"])
    assert copy.get(f"/v1/conversations/{taken}/items").json()["data"] == []
    assert tenants.restore("--verify").status == 1


def test_it_goes_on_where_answers_were_lost(
    tenants: Tenants, wire: FaultyServer, api: httpx.Client, copy: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shared.conversations import exporting

    monkeypatch.setattr(exporting, "LINES_MAX", 1)
    for number in range(3):
        talk(api, number)
    tenants.url = wire.url
    wire.faults.extend([Fault.NONE, Fault.CLOSE, Fault.NONE, Fault.TRUNCATE, Fault.NONE, Fault.CLOSE])
    assert tenants.export("--patience-s", "20").status == 0
    wire.faults.extend([Fault.CLOSE, Fault.NONE, Fault.CLOSE, Fault.CLOSE, Fault.NONE, Fault.TRUNCATE])
    assert tenants.restore("--patience-s", "20").status == 0
    assert all_of(copy) == all_of(api)


def test_an_import_that_was_stopped_goes_on_behind_the_pages_that_are_there(
    tenants: Tenants, api: httpx.Client, copy: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scripts.importing.backup import Backup
    from shared.conversations import exporting

    monkeypatch.setattr(exporting, "LINES_MAX", 1)
    conversation = talk(api, 1)
    tenants.export()
    backup = Backup(tenants.folder)
    pages = [*backup.pages(backup.kept[conversation])]
    assert len(pages) == 3
    for page in pages[:2]:
        assert copy.post("/v1/conversations/import", content=page).status_code == 200
    done = tenants.restore()

    assert (done.status, done.lines[0]["state"]) == (0, "imported")
    assert all_of(copy) == all_of(api)


def test_an_export_that_was_interrupted_goes_on(tenants: Tenants, api: httpx.Client) -> None:
    for number in range(3):
        talk(api, number)
    stop = Stop()
    stop.undo()
    tenant = read_key(tenants.key).tenant
    arguments = [tenant, str(tenants.folder), "--from", tenants.url, "--key", tenants.key]
    stop.requested = True
    assert export(arguments, stop) == INTERRUPTED
    assert tenants.export().status == 0
    assert len([*(tenants.folder / "conversations").iterdir()]) == 3


@pytest.mark.parametrize("change", ["tenant", "key", "folder"])
def test_a_key_of_another_tenant_exports_nothing(tenants: Tenants, api: httpx.Client, change: str) -> None:
    talk(api, 1)
    tenant = read_key(tenants.key).tenant
    if change == "folder":
        assert tenants.export().status == 0
        tenants.key = tenants.other
        assert tenants.export().status == 1
        return
    arguments = ["nobody" if change == "tenant" else tenant, str(tenants.folder), "--from", tenants.url]
    with pytest.raises(SystemExit) as ended:
        export([*arguments, "--key", "nonsense" if change == "key" else tenants.key], Stop())
    assert ended.value.code == 2
    assert not tenants.folder.exists()
