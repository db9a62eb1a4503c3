"""scripts/import as a person calls it: what it says, what it leaves out, and what it does not do."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.faults.server import FaultyServer
from scripts.importing.mapping import Map
from tests.imports import Importing, Json, Store, items_of, texts_of

pytestmark = pytest.mark.unmeasured


def put(store: Store, session: str, *items: Json | str) -> None:
    raw = [each if isinstance(each, str) else json.dumps(each) for each in items]
    store.call("RPUSH", f"agents:session:{session}:messages", *raw)


def user(text: str, **fields: Any) -> Json:
    return {"role": "user", "content": text, **fields}


BAD: list[tuple[Json | str, str, str]] = [
    ("{", "", "it is not JSON"),
    ({"role": "user"}, "content", "required"),
    ({"type": "item_reference", "id": "msg_1"}, "type", "points to an item"),
    ({"role": "user", "content": [{"type": "input_text", "txt": "a"}]}, "content[0]", ""),
    (user("a" * 1_100_000), "", "1,048,576 bytes"),
    ('{"role": "user", "content": "\\ud800"}', "content", "surrogate"),
]


@pytest.mark.parametrize(("item", "field", "reason"), BAD, ids=[each[2] or each[1] for each in BAD])
def test_what_is_refused_is_named_by_a_dry_run_which_sends_nothing(
    through: Importing, wire: FaultyServer, store: Store, item: Json | str, field: str, reason: str
) -> None:
    put(store, "good", user("a"))
    put(store, "bad", user("a"), item)
    before = wire.requests
    told = through.told("openai-agents", "--dry-run")

    assert wire.requests == before
    assert not through.map.exists()
    assert (told["good"]["state"], told["good"]["items"]) == ("imported", 1)
    assert told["good"]["tokens"] > 0
    [refusal] = told["bad"]["refusals"]
    assert refusal["at"] == "item 2"
    assert refusal["field"].startswith(field)
    assert reason in refusal["reason"]


def test_a_conversation_with_something_bad_is_left_alone_and_the_others_go_on(
    importing: Importing, store: Store, api: httpx.Client
) -> None:
    put(store, "bad", user("a"), {"role": "critic", "content": "b"}, user("c"))
    put(store, "good", user("a"))
    done = importing("openai-agents")

    assert done.status == 1
    assert "bad  refused" in done.out
    assert "item 2, role: " in done.out
    assert "1 refused, 1 imported" in done.out or "1 imported, 1 refused" in done.out
    assert importing.mapped().keys() == {"good"}
    assert len(api.get("/v1/conversations").json()["data"]) == 1


def test_the_rest_is_brought_over_where_that_is_wished(importing: Importing, store: Store, api: httpx.Client) -> None:
    put(store, "s", user("a"), {"role": "critic", "content": "b"}, user("c"))
    done = importing("openai-agents", "--skip-bad")
    put(store, "s", user("d"))
    importing("openai-agents", "--skip-bad")
    entry = importing.mapped()["s"]

    assert done.status == 1
    assert texts_of(items_of(api, entry["conversation_id"])) == ["a", "c", "d"]
    assert (entry["records"], entry["items"]) == (4, 3)
    assert "1 of them not" not in importing("openai-agents", "--verify").out


def test_an_id_that_stands_twice_in_a_session_is_taken_once(
    importing: Importing, store: Store, api: httpx.Client
) -> None:
    """Some models count their ids anew in each answer."""
    put(store, "s", user("a", id="msg_1"), user("b", id="msg_1"))
    importing("openai-agents")
    put(store, "s", user("c", id="msg_1"))
    importing("openai-agents")
    items = items_of(api, importing.mapped()["s"]["conversation_id"])

    assert texts_of(items) == ["a", "b", "c"]
    assert [item["id"] == "msg_1" for item in items] == [True, False, False]


def test_some_of_the_conversations_are_asked_for(importing: Importing, store: Store) -> None:
    for number in range(4):
        put(store, f"s{number}", user("a"))
    only = importing.told("openai-agents", "--only", "s2", "--only", "s3")
    limited = importing.told("openai-agents", "--limit", "1")
    unknown = importing("openai-agents", "--only", "nobody")

    assert sorted(only) == ["s2", "s3"]
    assert len(limited) == 1
    assert unknown.status == 1
    assert "there is no conversation 'nobody'" in unknown.err


def test_verify_compares_what_is_there_with_the_source(
    importing: Importing, store: Store, api: httpx.Client, tmp_path: Path
) -> None:
    for session in ("same", "shared", "torn"):
        put(store, session, user("a"), user("b"))
    importing("openai-agents")
    ids = {name: each["conversation_id"] for name, each in importing.mapped().items()}
    api.post(f"/v1/conversations/{ids['shared']}/items", json={"items": [user("here")]})
    [first, *_] = items_of(api, ids["torn"])
    api.delete(f"/v1/conversations/{ids['torn']}/items/{first['id']}")
    put(store, "shared", user("later"))
    put(store, "new", user("a"))
    told = importing.told("openai-agents", "--verify")
    shown = importing("openai-agents", "--verify")

    assert {
        name: (each["expected"], each["there"], each["others"], each["not_yet"]) for name, each in told.items()
    } == {
        "same": (2, 2, 0, 0),
        "shared": (2, 2, 1, 1),
        "torn": (2, 0, 1, 0),
        "new": (0, 0, 0, 0),
    }
    assert told["same"]["digest"] == told["same"]["found"]
    assert told["torn"]["wrong"] == "item 1 is not there, or not in its place"
    assert told["new"]["wrong"] == "it was not imported"
    assert shown.status == 1
    assert "4 conversations, 2 of them not as the source has them" in shown.out


def test_a_rate_is_kept_to(
    through: Importing, wire: FaultyServer, store: Store, api: httpx.Client, limit: Callable[[str | None], None]
) -> None:
    for number in range(6):
        put(store, f"s{number}", user("a"))
    limit("600 1")
    before = len(wire.statuses)
    done = through("openai-agents", "--concurrency", "4")
    limit(None)

    assert done.status == 0, done.err
    assert 429 in wire.statuses[before:]
    assert len(api.get("/v1/conversations").json()["data"]) == 6


def test_conversations_expire_as_is_wished(importing: Importing, store: Store, ttl_s: Callable[[str], int]) -> None:
    put(store, "s", user("a"))
    importing("openai-agents", "--expires-after-s", "0")

    assert ttl_s(importing.mapped()["s"]["conversation_id"]) == -1


def test_what_was_deleted_here_is_not_brought_back_by_accident(
    importing: Importing, store: Store, api: httpx.Client
) -> None:
    put(store, "s", user("a"))
    importing("openai-agents")
    api.delete(f"/v1/conversations/{importing.mapped()['s']['conversation_id']}")
    put(store, "s", user("b"))
    with_map = importing.told("openai-agents")["s"]
    importing.map.unlink()
    store.call("RPOP", "agents:session:s:messages")
    without = importing.told("openai-agents")["s"]

    assert (with_map["state"], without["state"]) == ("conflict", "conflict")
    assert "is gone" in with_map["reason"]
    assert "deleted here since" in without["reason"]
    assert api.get("/v1/conversations").json()["data"] == []


WRONG: list[tuple[list[str], int, str]] = [
    (["--from", "langchain"], 2, "--map FILE is needed"),
    (["--from", "langchain", "--map", "m"], 2, "--to URL and --key KEY are needed"),
    (["--from", "langchain", "--dry-run", "--verify"], 2, "two different things"),
    (["--from", "langchain", "--dry-run"], 1, "--source is needed"),
    (["--from", "langchain", "--dry-run", "--source", "nowhere"], 1, "redis://…"),
    (["--from", "langchain", "--dry-run", "--source", "redis://127.0.0.1:1"], 1, "did not answer"),
    (["--from", "openai-agents", "--dry-run", "--source", "none.db"], 1, "there is no file none.db"),
    (["--from", "assistants", "--dry-run", "--source-key", "k"], 1, "lists no threads"),
    (["--from", "assistants", "--dry-run", "--source", "pytest.ini"], 1, "is not JSON"),
    (["--from", "warmthread", "--dry-run", "--source", "http://example.com", "--source-key", "k"], 1, "over https"),
    (
        ["--from", "warmthread", "--dry-run", "--source", "https://x", "--prefix", "p", "--source-key", "k"],
        1,
        "keys of",
    ),
]


@pytest.mark.parametrize(("options", "status", "said"), WRONG, ids=[each[2] for each in WRONG])
def test_what_is_wrong_with_the_options_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, options: list[str], status: int, said: str
) -> None:
    from scripts.importing.__main__ import main

    for name in ("IMPORT_SOURCE", "IMPORT_SOURCE_KEY", "OPENAI_API_KEY", "WARMTHREAD_URL", "WARMTHREAD_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.argv", ["scripts/import", *options])
    try:
        ended: Any = main()
    except SystemExit as stopped:
        ended = stopped.code

    assert ended == status
    assert said in capsys.readouterr().err


def test_a_key_that_is_none_ends_it(importing: Importing, store: Store) -> None:
    put(store, "s", user("a"))
    importing.key = "wt_nobody_" + "0" * 32
    done = importing("openai-agents")

    assert done.status == 1
    assert "is --key one of --to?" in done.err


def test_a_map_is_of_one_import_at_a_time_and_of_one_source(importing: Importing, store: Store) -> None:
    put(store, "s", user("a"))
    importing("openai-agents")
    with Map(importing.map, "openai-agents"):
        held = importing("openai-agents")
    other = importing("openai-agents", "--as", "the other one")
    importing.map.write_text("what is this?\n")
    broken = importing("openai-agents")

    assert "in use by another import" in held.err
    assert "is the map of 'openai-agents', and not of 'the other one'" in other.err
    assert "is no map of an import" in broken.err
    assert (held.status, other.status, broken.status) == (1, 1, 1)
