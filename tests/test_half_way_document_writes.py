"""
Writes of documents that end half-way: refused each write of their scripts in turn, or without their object store.

What was acknowledged is shown by every instance at any time; afterwards, the same again has one effect.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.faults.server import FaultyServer
from shared.documents.shelf import read_mark
from shared.store import keys
from tests.half_way import failures


@pytest.fixture
def faulty(behind: Callable[..., httpx.Client]) -> httpx.Client:
    """An instance whose store refuses writes."""
    return behind()


def seen(client: httpx.Client, path: str) -> str | None:
    answer = client.get(path)
    assert answer.status_code in (200, 404), answer.text
    return answer.text if answer.status_code == 200 else None


def end_lease(run: Any, tenant: str, path: str) -> None:
    """Do what time does."""
    lease = keys.document_lease_key(tenant, path.rpartition("/")[2])
    assert run("PTTL", lease) != -1
    run("DEL", lease)


@pytest.mark.parametrize("begins_with", ["old", None])
@pytest.mark.parametrize("is_keyed", [False, True])
@pytest.mark.parametrize("script", ["document_write", "document_written"])
def test_a_put_is_done_once_and_shown_by_all_once_it_is_answered(
    script: str,
    is_keyed: bool,
    begins_with: str | None,
    faulty: httpx.Client,
    api: httpx.Client,
    server: FaultyServer,
    documents_folder: Path,
    tenant: str,
    run: Any,
) -> None:
    refused = 0
    for nth in failures(server, script):
        path, file = f"/v1/documents/{nth}.txt", documents_folder / tenant / f"{nth}.txt"
        if begins_with is not None:
            assert api.put(path, content=begins_with).status_code == 200
            assert [seen(client, path) for client in (api, faulty)] == [begins_with] * 2
        headers = {"idempotency-key": f"{script}-{begins_with}-{nth}"} if is_keyed else {}
        first = faulty.put(path, content="new", headers=headers)
        if first.status_code == 503:
            refused += 1
            is_written = file.exists() and file.read_text() == "new"
            assert first.json()["outcome_unknown"] == is_written == (script == "document_written")
            end_lease(run, tenant, path)
            # Nothing outlives the lease: what is there is shown.
            assert [seen(client, path) for client in (api, faulty)] == ["new" if is_written else begins_with] * 2
            first = faulty.put(path, content="new", headers=headers)
        assert first.status_code == 200
        assert [seen(client, path) for client in (api, faulty)] == ["new"] * 2
        api.put(path, content="newer")
        again = faulty.put(path, content="new", headers=headers)
        assert again.headers.get("idempotency-replayed") == ("true" if is_keyed else None)
        assert [seen(client, path) for client in (faulty, api)] == ["newer" if is_keyed else "new"] * 2
    assert refused >= 2


@pytest.mark.parametrize("script", ["document_write", "document_written"])
def test_a_deletion_is_done_once_and_seen_by_all_once_it_is_answered(
    script: str,
    faulty: httpx.Client,
    api: httpx.Client,
    server: FaultyServer,
    documents_folder: Path,
    tenant: str,
    run: Any,
) -> None:
    refused = 0
    for nth in failures(server, script):
        path, file = f"/v1/documents/{nth}.txt", documents_folder / tenant / f"{nth}.txt"
        api.put(path, content="text")
        headers = {"idempotency-key": f"{script}-{nth}"}
        assert [seen(client, path) for client in (api, faulty)] == ["text"] * 2
        first = faulty.delete(path, headers=headers)
        if first.status_code == 503:
            refused += 1
            assert first.json()["outcome_unknown"] == (not file.exists())
            end_lease(run, tenant, path)
            assert [seen(client, path) for client in (api, faulty)] == ["text" if file.exists() else None] * 2
            first = faulty.delete(path, headers=headers)
        # What was deleted half-way and is sent again has nothing to delete any more, and says so.
        assert first.status_code in (200, 404)
        assert [seen(client, path) for client in (api, faulty)] == [None] * 2
    assert refused >= 2


def test_a_write_that_a_notice_overtakes_keeps_nothing(
    faulty: httpx.Client, api: httpx.Client, documents_folder: Path, tenant: str, run: Any
) -> None:
    path, marks = "/v1/documents/a.txt", keys.document_marks_key(tenant)
    api.put(path, content="old")
    before = read_mark(run("HGET", marks, "a.txt"))
    assert before is not None
    # What document_write leaves, and then somebody else is there first.
    run("HSET", marks, "a.txt", f"{before.fence + 10**6} 0 ")
    assert api.put(path, content="new").status_code == 200
    after = read_mark(run("HGET", marks, "a.txt"))
    assert after is not None
    assert after.fence == before.fence + 10**6 + 1
    assert [seen(client, path) for client in (api, faulty)] == ["new"] * 2
