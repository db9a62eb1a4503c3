"""Work that nobody waits for: what fails is one line that says which, for what and why, and the rest is done."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.faults.server import Fault, FaultyServer
from shared.environment import read_settings
from shared.errors import StoreUnavailable
from shared.process.background import Contained
from shared.process.log import mark
from shared.process.pool import Pool
from shared.request.after_response import Later
from shared.store import keys
from shared.store.upstash import Store
from shared.tokens.encodings import DATA, PARTIAL_COUNTS_MAX, CorruptEncoding, Encodings, load_encoding
from tests.bearers import CRON
from tests.log_lines import LogLines

SECRET = "xyzzy-4711"
"""What must not be logged."""

LONG_AGO_S = 10 * 86_400


def told(logged: LogLines) -> list[str]:
    return logged.messages("background: ")


def wait_until(is_so: Callable[[], Any]) -> None:
    give_up_at_s = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < give_up_at_s
        time.sleep(0.005)


async def test_what_fails_after_a_response_does_not_stop_the_rest(
    server: FaultyServer, logged: LogLines, upstash: object
) -> None:
    server.fault = Fault.REFUSE_401
    store = Store(read_settings({"UPSTASH_REDIS_REST_URL": server.url, "UPSTASH_REDIS_REST_TOKEN": "t"}))
    encoding, done = load_encoding("o200k_base"), []

    async def panic() -> None:
        encoding.encode_ordinary(" " * 2_000_000)

    async def err() -> None:
        raise KeyError(SECRET)

    async def ask() -> None:
        await store.command("PING")

    async def work() -> None:
        done.append(True)

    later = Later()
    tasks: list[Callable[[], Awaitable[None]]] = [panic, work, err, work, ask, work]
    for task in tasks:
        later.add(task, task.__name__, SECRET, "b")
    await later.run()
    await store.close()

    assert done == [True] * 3
    place = mark(SECRET, "b")
    assert told(logged) == [
        f"panic, for {place}, failed: PanicException",
        f"err, for {place}, failed: KeyError",
        f"ask, for {place}, failed: store-unavailable: status 401: WRONGPASS invalid or missing auth token",
    ]
    assert SECRET not in logged.text


async def test_who_ends_the_work_ends_it_all(logged: LogLines) -> None:
    begun = []

    async def wait() -> None:
        begun.append(True)
        await asyncio.sleep(60)

    later = Later()
    for _ in range(2):
        later.add(wait, "waiting")
    task = asyncio.create_task(later.run())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert begun == [True]
    assert told(logged) == []
    for end in (KeyboardInterrupt, SystemExit, GeneratorExit):
        with pytest.raises(end), Contained("ending"):
            raise end


@pytest.mark.parametrize(
    ("work", "call"),
    [
        ("renewing the expiry", lambda far, url: far.get(url)),
        ("keeping counts", lambda far, url: far.get(f"{url}/context?budget=500&encoding=cl100k_base")),
        ("giving back", lambda far, url: far.post(f"{url}/context", json={"budget": 500, "reserve": True})),
        ("compaction", lambda far, url: far.post(url, json={"metadata": {"a": "b"}})),
        ("handing over uses of documents", lambda far, url: far.get("/v1/documents/a.md")),
        ("handing over metrics", lambda far, url: far.get(url)),
    ],
)
def test_each_work_for_later_is_called_by_its_name(
    api: httpx.Client,
    behind: Callable[..., httpx.Client],
    server: FaultyServer,
    run: Callable[..., Any],
    key_of: Callable[[str], str],
    tenant: str,
    documents_folder: Path,
    logged: LogLines,
    work: str,
    call: Callable[[httpx.Client, str], httpx.Response],
) -> None:
    (documents_folder / tenant).mkdir()
    (documents_folder / tenant / "a.md").write_text("hello")
    conversation = api.post("/v1/conversations", json={"items": [{"role": "user", "content": SECRET}]}).json()["id"]
    url = f"/v1/conversations/{conversation}"
    if work == "renewing the expiry":
        run("HSET", key_of(conversation), "t", int(time.time()) - LONG_AGO_S)
    if work == "compaction":
        for _ in range(62):
            assert api.post(url, json={"metadata": {}}).status_code == 200
    far = behind(metrics_flush_s=3_600 if work == "handing over metrics" else 0)
    assert api.get("/v1/documents/a.md").status_code == 200  # So that it is in the store.
    server.faults.append(Fault.NONE)
    server.fault = Fault.REFUSE_400  # For whatever comes behind the request of the answer itself.
    answer = call(far, url)
    wait_until(lambda: told(logged))

    assert answer.status_code == 200
    [line] = told(logged)
    assert re.fullmatch(rf"{work}(, for [0-9a-f]{{16}},)? failed: store-unavailable: .*max daily request.*", line)
    for name in (tenant, conversation, SECRET, "a.md"):
        assert name not in line


@pytest.mark.usefixtures("fresh_crons")
def test_a_tenant_or_a_conversation_that_fails_does_not_stop_the_sweep(
    api: httpx.Client, run: Callable[..., Any], logged: LogLines
) -> None:
    run("HSET", keys.TENANTS_KEY, "broken", "", "odd", "x y z w", "fine", "")
    run("SET", keys.activity_key("broken", 0), "no index")
    for tenant, names in (("fine", ("conv_a", "conv_b", "conv_c")), ("odd", ("conv_d",))):
        for number, name in enumerate(names, 1):
            run("ZADD", keys.activity_key(tenant, 0), number, name)
            run("HSET", keys.rows_key(tenant, 0), name, "1 60 1 0 {}")
    run("SET", keys.conversation_key("fine", "conv_b"), "no conversation")
    first, second = (api.get("/api/cron/sweep", headers=CRON).json()["conversations"] for _ in range(2))

    assert first["outcome"] == "done"
    others = run("HLEN", keys.TENANTS_KEY) - 1
    assert (first["tenants"], first["tenants_failed"], first["failed"]) == (others, 1, 1)
    assert first["forgotten"] == 3
    assert (second["tenants"], second["tenants_failed"], second["failed"]) == (others, 1, 1)
    lines = told(logged)
    assert lines[0].startswith(f"the sweep of a tenant, for {mark('broken')}, failed: store-unavailable: ")
    assert lines[1].startswith(
        f"the sweep of a conversation, for {mark('fine', 'conv_b')}, failed: store-unavailable: "
    )
    assert not any(name in line for line in lines for name in ("broken", "fine", "conv_b"))
    run("DEL", keys.activity_key("broken", 0), keys.conversation_key("fine", "conv_b"))


@pytest.mark.usefixtures("fresh_crons")
def test_one_half_of_a_sweep_that_fails_does_not_stop_the_other(
    api: httpx.Client, run: Callable[..., Any], tenant: str, logged: LogLines
) -> None:
    run("HSET", keys.TENANTS_KEY, tenant, "")
    run("SET", keys.SCOPES_KEY, "no set")
    half = api.get("/api/cron/sweep", headers=CRON)
    run("SET", keys.TENANTS_KEY, "no hash")
    neither = api.get("/api/cron/sweep", headers=CRON)
    run("DEL", keys.SCOPES_KEY, keys.TENANTS_KEY)

    assert (half.status_code, half.json()["outcome"]) == (200, "failed")
    assert (half.json()["conversations"]["outcome"], half.json()["conversations"]["tenants"]) == ("done", 1)
    assert neither.status_code == 503
    assert [line.partition(" failed")[0] for line in told(logged)] == [
        "the sweep of documents",
        "the sweep of documents",
        "the sweep of conversations",
    ]


@pytest.mark.usefixtures("fresh_crons")
def test_a_folder_that_fails_does_not_stop_the_sweep_of_others(
    api: httpx.Client, run: Callable[..., Any], logged: LogLines
) -> None:
    run("SADD", keys.SCOPES_KEY, "aaa", "bbb", "ccc")
    for scope in ("bbb", "ccc"):
        run("HSET", keys.document_marks_key(scope), "a.md", f"1 {int(time.time())} -")
    run("SET", keys.document_marks_key("aaa"), "no hash")
    swept = api.get("/api/cron/sweep", headers=CRON).json()
    run("DEL", keys.document_marks_key("aaa"))

    assert (swept["outcome"], swept["scopes"], swept["failed"]) == ("failed", 2, 1)
    [line] = told(logged)
    assert line.startswith(f"the sweep of a folder, for {mark('aaa')}, failed: store-unavailable: ")


async def test_an_encoding_that_cannot_be_loaded_beside_is_told_once(tmp_path: Path, logged: LogLines) -> None:
    file = tmp_path / "o200k_base.tokens"
    file.write_bytes((DATA / file.name).read_bytes())
    encodings = Encodings(Pool(2), tmp_path)
    for _ in range(PARTIAL_COUNTS_MAX):
        await encodings.get_for("o200k_base", ["hello"])
    file.write_bytes(b"no encoding")
    with pytest.raises(CorruptEncoding):
        await encodings.get_for("o200k_base", ["hello"])
    await encodings.settle()

    assert told(logged) == ["loading o200k_base failed: CorruptEncoding"]


def test_an_outage_is_told_apart_from_a_bug(logged: LogLines) -> None:
    for error in (StoreUnavailable("x", outcome_unknown=False), ValueError(SECRET)):
        with Contained("work", "a", "b") as work:
            raise error
        assert work.error is error

    lines = logged.lines()
    assert [each["level"] for each in lines] == ["warning", "error"]
    assert "test_background.py" in lines[1]["traceback"]
    assert mark("a", "b") == mark("a", "b") != mark("a\nb", "c")
