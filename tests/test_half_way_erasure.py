"""
An erasure whose scripts end half-way, one write after the other, goes on with the next call: everything goes, what
stays is whole, and the receipt counts each conversation once.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.faults.server import FaultyServer
from scripts.local import deleting
from scripts.local.upstash import LocalUpstash
from shared.documents.sweep import NAME as SWEEP
from shared.environment import read_settings
from shared.erasing import erasure
from shared.errors import StoreUnavailable
from shared.request.roles import ADMIN
from shared.store import keys
from shared.store.upstash import Store
from tests.erasing import create, erase
from tests.exports import begun, lines_of, pages_of, send
from tests.half_way import check_indexes, failures, tenant_seen

pytestmark = pytest.mark.usefixtures("fresh_crons")

ANNA, BEN = "anna", "ben"
MENTION = {"type": "input_file", "file_url": "document:a.txt"}


@pytest.fixture
def role() -> str:
    return ADMIN


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (erasure, deleting):
        monkeypatch.setattr(module, "HELD_S", 0.0)
        monkeypatch.setattr(module, "DOCUMENTS_HELD_S", 0.0)


def begin(api: httpx.Client, run: Callable[..., Any], tenant: str, folder: Path) -> None:
    """Have two conversations of one user that mention a document, and one of another."""
    (folder / tenant).mkdir(exist_ok=True)
    (folder / tenant / "a.txt").write_text("a document")
    create(api, BEN, "stays", agent="bot")
    [page] = pages_of(api, create(api, ANNA, "begun"))
    assert api.delete(f"/v1/conversations/{lines_of(page)[0]['id']}").status_code == 200
    assert send(api, begun(page, "conv_begun")).status_code == 200
    for text in ("x" * 20_000, "y" * 20_000):
        items = [{"role": "user", "content": [MENTION, {"type": "input_text", "text": text}]}]
        conversation = create(api, ANNA, agent="bot", items=items)
        assert api.get(f"/v1/conversations/{conversation}/context?budget=50000").status_code == 200
    run("HSET", keys.cron_key(SWEEP), "progress", f"{tenant}/a.txt")


@pytest.mark.parametrize("script", ["erase_begin", "erase", "erase_documents", "erase_progress", "erase_end"])
def test_each_write_of_an_erasure_can_be_refused(
    script: str,
    tenant_behind: Callable[[], Any],
    server: FaultyServer,
    run: Callable[..., Any],
    documents_folder: Path,
) -> None:
    for _ in failures(server, script):
        with tenant_behind() as (tenant, api, faulty):
            begin(api, run, tenant, documents_folder)
            first = faulty.delete(f"/v1/users/{ANNA}")
            assert first.status_code in (200, 503), first.text
            told = erase(api, ANNA)

            assert (told["conversations"], told["items"]) == (2, 2)
            assert 40_000 < told["bytes"] < 43_000
            assert len(tenant_seen(api)) == 1
            check_indexes(run, tenant)
            names = run("KEYS", f"{keys.SCHEMA}:{{{tenant}}}:*")
            gone = (":document", ":mentioned:", ":lease:", ":import")
            assert not [each for each in names for part in gone if part in each]
            assert run("ZSCORE", keys.HOT_KEY, f"{tenant}/a.txt") is None
            assert run("HGET", keys.cron_key(SWEEP), "progress") == ""
            assert run("HMGET", keys.tenant_key(tenant), "erasing", "bytes")[0] in (None, "")
            # The user may begin anew.
            assert api.post("/v1/conversations", json={"user": ANNA}).status_code == 200


def test_each_write_of_the_deletion_of_a_tenant_can_be_refused(
    tenant_behind: Callable[[], Any],
    server: FaultyServer,
    upstash: LocalUpstash,
    run: Callable[..., Any],
    documents_folder: Path,
) -> None:
    def delete(tenant: str, url: str) -> Any:
        async def run_it() -> Any:
            settings = read_settings({"UPSTASH_REDIS_REST_URL": url, "UPSTASH_REDIS_REST_TOKEN": upstash.token})
            store = Store(settings)
            try:
                return await deleting.TenantErasure(store, settings, tenant, lambda *_: None).run()
            except StoreUnavailable:
                return None
            finally:
                await store.close()

        return asyncio.run(run_it())

    for _ in failures(server, "erase_tenant"):
        with tenant_behind() as (tenant, api, _):
            begin(api, run, tenant, documents_folder)
            receipt = delete(tenant, server.url) or delete(tenant, upstash.url)

            assert (receipt.conversations, receipt.items) == (3, 3)
            assert run("KEYS", f"{keys.SCHEMA}:{{{tenant}}}:*") == []
