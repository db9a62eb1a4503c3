"""scripts/import, run again, killed, cut off, beside others: each record is there once, in its order."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from scripts.faults.server import Fault, FaultyServer
from scripts.local.upstash import LocalUpstash
from tests.imports import Importing, Store, items_of, texts_of
from tests.processes import ROOT

pytestmark = pytest.mark.unmeasured

DAY_S = 86_400
PATIENCE_S = 60.0


def say(store: Store, session: str, *texts: str) -> None:
    """Append to a session as openai-agents does."""
    items = [json.dumps({"role": "user", "content": text}) for text in texts]
    store.call("RPUSH", f"agents:session:{session}:messages", *items)


def numbered(low: int, high: int) -> list[str]:
    return [f"message {number}" for number in range(low, high)]


@pytest.fixture
def said(api: httpx.Client, importing: Importing) -> Callable[[str], list[str]]:
    """Return what the conversation that a session became says; there must be no other."""

    def read(session: str) -> list[str]:
        found = api.get("/v1/conversations", params={"metadata[import_id]": session, "limit": 100}).json()["data"]
        assert len(found) == 1
        assert importing.mapped()[session]["conversation_id"] == found[0]["id"]
        return texts_of(items_of(api, found[0]["id"]))

    return read


def test_a_session_that_grew_gets_what_is_new(importing: Importing, store: Store, said: Callable[..., Any]) -> None:
    say(store, "s", *numbered(0, 130))
    first = importing.told("openai-agents")["s"]
    again = importing.told("openai-agents")["s"]
    say(store, "s", *numbered(130, 260))
    grown = importing.told("openai-agents")["s"]

    assert [(each["state"], each["items"]) for each in (first, again, grown)] == [
        ("imported", 130),
        ("unchanged", 0),
        ("grown", 130),
    ]
    assert said("s") == numbered(0, 260)
    assert importing.mapped()["s"]["items"] == 260


def test_what_came_since_goes_behind_what_the_application_added(
    importing: Importing, store: Store, api: httpx.Client, said: Callable[..., Any]
) -> None:
    """The switch: some instances write to the old store for a while yet."""
    say(store, "s", "before")
    importing("openai-agents")
    path = f"/v1/conversations/{importing.mapped()['s']['conversation_id']}/items"
    api.post(path, json={"items": [{"role": "user", "content": "here"}]})
    say(store, "s", "there")
    importing("openai-agents")
    importing("openai-agents")

    assert said("s") == ["before", "here", "there"]


def test_without_its_map_an_import_goes_on_where_it_was(
    importing: Importing, store: Store, said: Callable[..., Any]
) -> None:
    say(store, "s", *numbered(0, 110))
    importing("openai-agents")
    importing.map.unlink()
    say(store, "s", "new")
    told = importing.told("openai-agents")["s"]

    assert (told["state"], told["items"]) == ("grown", 1)
    assert said("s") == [*numbered(0, 110), "new"]


def test_without_its_map_nothing_is_added_to_what_others_wrote_to(
    importing: Importing, store: Store, api: httpx.Client, said: Callable[..., Any]
) -> None:
    say(store, "s", "a", "b")
    importing("openai-agents")
    conversation = importing.mapped()["s"]["conversation_id"]
    kept = importing.map.read_bytes()
    api.post(f"/v1/conversations/{conversation}/items", json={"items": [{"role": "user", "content": "here"}]})
    importing.map.unlink()
    say(store, "s", "c")
    told = importing.told("openai-agents")["s"]

    assert told["state"] == "conflict"
    assert "Bring the map" in told["reason"]
    importing.map.write_bytes(kept)
    assert importing.told("openai-agents")["s"]["state"] == "grown"
    assert said("s") == ["a", "b", "here", "c"]


@pytest.mark.parametrize("change", ["popped", "replaced"])
def test_a_session_that_no_longer_begins_with_what_was_imported_is_left_alone(
    importing: Importing, store: Store, said: Callable[..., Any], change: str
) -> None:
    say(store, "s", "a", "b")
    importing("openai-agents")
    store.call("RPOP", "agents:session:s:messages")
    if change == "replaced":
        say(store, "s", "other", "more")
    told = importing.told("openai-agents")["s"]

    assert told["state"] == "conflict"
    assert said("s") == ["a", "b"]


@pytest.mark.parametrize("fault", [Fault.CLOSE, Fault.TRUNCATE, Fault.ERROR_500])
def test_what_was_answered_to_nobody_is_stored_once(
    through: Importing, wire: FaultyServer, store: Store, said: Callable[..., Any], fault: Fault
) -> None:
    """Each request in turn is carried out, and its answer lost."""
    say(store, "s", *numbered(0, 210))
    for _ in range(12):
        wire.faults.extend([Fault.NONE, fault])
    done = through("openai-agents")
    wire.faults.clear()

    assert done.status == 0, done.err
    assert said("s") == numbered(0, 210)


@pytest.fixture
def start(through: Importing) -> Callable[[], "subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "scripts.importing", *through.arguments("openai-agents", "--concurrency", "1")]
    return lambda: subprocess.Popen(
        command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def kill_at(
    wire: FaultyServer, api: httpx.Client, start: Callable[[], "subprocess.Popen[str]"]
) -> Callable[[int, int], None]:
    """Kill an import while its request *number* is not answered, when the service has made *items* of it all."""

    def kill(number: int, items: int) -> None:
        wire.faults.clear()
        wire.faults.extend([Fault.NONE] * (number - 1) + [Fault.SILENT])
        before = wire.requests
        with start() as process:
            until(lambda: wire.requests == before + number or process.poll() is not None)
            assert process.poll() is None, process.communicate()
            process.kill()
        until(lambda: _items_there(api) == items)

    return kill


def _items_there(api: httpx.Client) -> int:
    found = api.get("/v1/conversations").json()["data"]
    return sum(len(items_of(api, each["id"])) for each in found)


def until(is_so: Callable[[], bool]) -> None:
    give_up_at_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < give_up_at_s
        time.sleep(0.01)  # Nothing tells how far another process is but looking.


def test_an_import_that_is_killed_anywhere_goes_on(
    through: Importing, store: Store, kill_at: Any, said: Callable[..., Any], clock: LocalUpstash
) -> None:
    """The creation, the second batch, the third: each is stored, and nobody hears of it. Keys are forgotten at last."""
    say(store, "s", *numbered(0, 210))
    kill_at(2, 100)
    kill_at(4, 200)
    clock.clock_shift_s = 2 * DAY_S
    kill_at(3, 210)
    clock.clock_shift_s = 4 * DAY_S
    through("openai-agents")

    assert said("s") == numbered(0, 210)
    assert through.mapped()["s"]["records"] == 210


def test_a_batch_that_never_arrived_is_sent(importing: Importing, store: Store, said: Callable[..., Any]) -> None:
    say(store, "s", "a", "b")
    importing("openai-agents")
    entry = importing.mapped()["s"]
    say(store, "s", "c")
    importing.map.write_text(json.dumps({**entry, "pending": {"records": 1, "after": ""}}) + "\n")
    importing("openai-agents")
    importing("openai-agents")

    assert said("s") == ["a", "b", "c"]


def test_what_others_add_while_an_import_is_down_comes_between(
    through: Importing, store: Store, api: httpx.Client, kill_at: Any, said: Callable[..., Any]
) -> None:
    """The append of the second batch is done and not answered; then somebody else writes."""
    say(store, "s", *numbered(0, 150))
    kill_at(4, 150)
    conversation = through.mapped()["s"]["conversation_id"]
    api.post(f"/v1/conversations/{conversation}/items", json={"items": [{"role": "user", "content": "other"}]})
    say(store, "s", "last")
    through("openai-agents")

    assert said("s") == [*numbered(0, 150), "other", "last"]


def test_who_writes_between_a_look_and_an_append_loses_nothing(
    importing: Importing, store: Store, api: httpx.Client, said: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from scripts.importing.target import Target

    say(store, "s", "a")
    importing("openai-agents")
    say(store, "s", "b")
    looked = Target.tip
    moved: list[str] = []

    def look(target: Target, conversation_id: str) -> Any:
        found = looked(target, conversation_id)
        if len(moved) < 2:
            moved.append(f"other {len(moved)}")
            items = [{"role": "user", "content": moved[-1]}]
            api.post(f"/v1/conversations/{conversation_id}/items", json={"items": items})
        return found

    monkeypatch.setattr(Target, "tip", look)
    importing("openai-agents")

    assert said("s") == ["a", "other 0", "other 1", "b"]


def test_ctrl_c_ends_it_in_order_and_it_goes_on(
    through: Importing, wire: FaultyServer, store: Store, start: Any, said: Callable[..., Any]
) -> None:
    say(store, "s", *numbered(0, 210))
    before = wire.requests
    wire.delay_s = 0.3
    try:
        with start() as process:
            until(lambda: wire.requests >= before + 2 or process.poll() is not None)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
    finally:
        wire.delay_s = 0.0

    assert process.returncode == 130, err
    assert "goes on from here" in err
    assert "Traceback" not in err
    assert "conversations" in out
    through("openai-agents")
    assert said("s") == numbered(0, 210)
