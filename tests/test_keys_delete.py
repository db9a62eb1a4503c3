"""`scripts/keys delete` erases all of a tenant, and nothing of another; run again it goes on where it was ended."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.local import deleting
from shared.documents.sweep import NAME as SWEEP
from shared.erasing.receipts import Verdict, verify
from shared.request.caller import read_key
from shared.store import keys
from tests.erasing import create
from tests.keys_script import run_keys

SECRET = "receipts-are-signed-with-this"


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deleting, "HELD_S", 0.1)
    monkeypatch.setattr(deleting, "DOCUMENTS_HELD_S", 0.1)
    monkeypatch.setenv("WARMTHREAD_RECEIPT_SECRET", SECRET)


@pytest.fixture
def left(run: Callable[..., Any]) -> Callable[[str], list[str]]:
    """Return what the store has of a tenant, wherever it is."""

    def read(tenant: str) -> list[str]:
        places: list[str] = run("KEYS", f"*{{{tenant}}}*")
        places += [name for name in (keys.SCOPES_KEY,) if run("SISMEMBER", name, tenant)]
        places += [keys.TENANTS_KEY] if run("HEXISTS", keys.TENANTS_KEY, tenant) else []
        places += [path for path in run("ZRANGE", keys.HOT_KEY, 0, -1) if path.startswith(f"{tenant}/")]
        return places + [each for each in [run("HGET", keys.cron_key(SWEEP), "progress") or ""] if tenant in each]

    return read


def fill(api: httpx.Client, folder: Path, tenant: str) -> None:
    """Have something of each kind."""
    (folder / tenant).mkdir(exist_ok=True)
    (folder / tenant / "a.txt").write_text("a document")
    part = {"type": "input_file", "file_url": "document:a.txt"}
    items = [{"role": "user", "content": [part]}]
    mentions = create(api, "anna", agent="bot", items=items)
    assert "a document" in api.get(f"/v1/conversations/{mentions}/context?budget=500").text
    for number in range(5):
        create(api, "anna", f"text {number}", metadata={"k": "v"})
    keyed = {"idempotency-key": "once"}
    assert api.post("/v1/conversations", json={"id": "conv_chosen"}, headers=keyed).status_code == 200
    assert api.delete("/v1/conversations/conv_chosen").status_code == 200
    assert api.post(f"/v1/conversations/{mentions}/fork").status_code == 200
    assert api.post("/v1/reservations", json={"tokens": 5, "model": "gpt-4o"}).status_code == 200


def test_all_of_a_tenant_goes_and_nothing_of_another(
    api: httpx.Client,
    other_api: httpx.Client,
    key: str,
    tenant: str,
    run: Callable[..., Any],
    left: Callable[[str], list[str]],
    documents_folder: Path,
) -> None:
    other = read_key(other_api.headers["authorization"].removeprefix("Bearer ")).tenant
    fill(api, documents_folder, tenant)
    fill(other_api, documents_folder, other)
    run("HSET", keys.cron_key(SWEEP), "progress", f"{tenant}/a.txt")
    before = sorted(left(other))
    count = len(api.get("/v1/conversations", params={"limit": 100}).json()["data"])
    told = run_keys("delete", tenant, "--yes")
    receipt = json.loads(told)

    assert left(tenant) == []
    assert sorted(left(other)) == before
    assert verify(receipt, SECRET) is Verdict.GENUINE
    assert (receipt["erased"], receipt["tenant"], receipt["conversations"]) == ("tenant", tenant, count)
    assert receipt["keys"] > count
    assert api.get("/v1/conversations", headers={"cache-control": "max-age=60"}).status_code == 401
    assert (documents_folder / tenant / "a.txt").exists(), "the object store is the tenant's own"
    assert "there is no tenant" in run_keys("delete", tenant, "--yes", status=1)


def test_nothing_is_deleted_without_a_yes(api: httpx.Client, tenant: str, left: Callable[[str], list[str]]) -> None:
    create(api, "anna")
    before = left(tenant)

    assert "--yes" in run_keys("delete", tenant, status=2)
    assert left(tenant) == before
    assert api.get("/v1/conversations").status_code == 200


def test_it_goes_on_where_it_was_ended(
    api: httpx.Client, tenant: str, left: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deleting, "TOGETHER", 2)
    for _ in range(5):
        create(api, "anna")
    keep, calls = deleting.TenantErasure._keep, 0

    async def ended(erasure: deleting.TenantErasure) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        await keep(erasure)

    monkeypatch.setattr(deleting.TenantErasure, "_keep", ended)
    with pytest.raises((KeyboardInterrupt, asyncio.CancelledError)):
        run_keys("delete", tenant, "--yes")
    assert left(tenant)
    receipt = json.loads(run_keys("delete", tenant, "--yes"))

    assert (receipt["conversations"], left(tenant)) == (5, [])


def test_a_tenant_of_the_same_name_shows_nothing_of_the_one_before(
    api: httpx.Client, tenant: str, make_service: Callable[[], str]
) -> None:
    """An instance that held it, and had no request meanwhile, learns by its first that this is another."""
    conversation = create(api, "anna", "secret", id="conv_mine")
    path = f"/v1/conversations/{conversation}"
    assert api.get(path).status_code == 200
    run_keys("delete", tenant, "--yes")
    anew = {"authorization": f"Bearer {run_keys('create', tenant)}"}
    assert api.get("/v1/usage", headers=anew).status_code == 200
    assert api.get("/v1/conversations", headers=anew).json()["data"] == []

    for headers, status in (({"cache-control": "max-age=3600, only-if-cached"}, 504), ({}, 404)):
        assert api.get(path, headers=anew | headers).status_code == status


def test_it_waits_for_a_cron_that_works(
    api: httpx.Client, tenant: str, run: Callable[..., Any], left: Callable[[str], list[str]], monkeypatch: Any
) -> None:
    monkeypatch.setattr(deleting, "CRON_S_MAX", 1)
    create(api, "anna")
    now_ms = int(run("TIME")[0]) * 1_000
    run("HSET", keys.cron_key(SWEEP), "fence", "7", "until", now_ms + 60_000)
    try:
        assert "run it again" in run_keys("delete", tenant, "--yes", status=1)
        assert api.get("/v1/conversations").status_code == 401, "its keys are revoked already"
    finally:
        run("HSET", keys.cron_key(SWEEP), "until", "0")
    assert json.loads(run_keys("delete", tenant, "--yes"))["conversations"] == 1
    assert left(tenant) == []
