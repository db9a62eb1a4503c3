"""What is counted where it happens: refusals, documents, shared loads, invalidations, budgets, crons, tokens."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.local.upstash import LocalUpstash
from scripts.proving.metrics.read import total_of
from shared.budgets.shares import POLICIES
from shared.cache.flight import Flights
from shared.cache.tiered import Grant
from shared.documents.documents import Documents
from shared.environment import read_settings
from shared.items.document_paths import Place
from shared.process.pool import Pool
from shared.request.after_response import Later
from shared.store import keys
from shared.store.breaker import FAILURES_MAX, Breaker
from shared.store.failure import Sign
from shared.store.upstash import Store
from shared.telemetry.series import WINDOWS
from shared.tokens.counter import Counter
from shared.tokens.encodings import Encodings
from tests.bearers import CHANGES_SECRET, CRON, METRICS_SECRET
from tests.instances import client_of, running_instance

MENTION = "Look at [[document:{path}]]."


def message(text: str) -> dict[str, Any]:
    return {"items": [{"role": "user", "content": text}]}


def total(text: str, name: str, deployment: str, **labels: str) -> float:
    return total_of(text, f"warmthread_{name}", deployment=deployment, **labels)


@pytest.mark.usefixtures("fresh_crons")
def test_what_happens_is_counted_where_it_does(
    deployment: str,
    key: str,
    tenant: str,
    budget: Callable[..., None],
    limit: Callable[[str | None], None],
    documents_folder: Path,
    run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WARMTHREAD_METRICS_FLUSH_S", "1")
    budget(tokens_day="1000")
    (documents_folder / tenant).mkdir(exist_ok=True)
    (documents_folder / tenant / "a.txt").write_text("Sunny.")
    sent: list[httpx.Request] = []
    with running_instance() as url, client_of(url, key) as client:
        client.event_hooks = {"request": [sent.append]}
        assert client.get("/v1/documents/a.txt").status_code == 200
        made = client.post("/v1/conversations", json=message("Hello there, how are you today?")).json()["id"]
        for _ in range(3):
            client.post(f"/v1/conversations/{made}/items", json=message("It rains " * 50))
        context = client.get(f"/v1/conversations/{made}/context?budget=120").json()
        client.get("/v1/conversations", headers={"authorization": "Bearer wt_x_y"})
        client.get("/v1/nowhere")
        client.put("/v1/usage")
        client.post("/v1/reservations", json={"tokens": 750})
        client.post("/v1/reservations", json={"tokens": 400})
        paths = {"changes": [{"path": f"{tenant}/a.txt"}, {"path": f"{tenant}/b.txt"}]}
        client.post("/v1/changes", json=paths, headers={"authorization": f"Bearer {CHANGES_SECRET}"})
        (documents_folder / tenant / "a.txt").write_text("It rains now.")
        client.get("/v1/documents/a.txt")
        client.get("/api/cron/sweep", headers=CRON)
        client.get("/api/cron/warm", headers=CRON)
        limit("1 1")
        while client.get("/v1/usage").status_code != 429:
            pass
        limit(None)
        text = until(url, lambda text: requests(text, deployment) == len(sent))

        def counted(name: str, **labels: str) -> float:
            return total(text, name, deployment, **labels)

    assert counted("refusals_total", reason="rate") >= 1
    assert counted("refusals_total", reason="unauthorized") == 1
    assert counted("refusals_total", reason="not-found") == 1
    assert counted("refusals_total", reason="method-not-allowed") == 1
    assert counted("refusals_total", reason="budget") == 1
    assert counted("budget_used_max_ratio", window="tokens-day") == 0.75
    assert counted("document_reads_total", tier="source") == 2
    assert counted("source_loads_total", outcome="loaded") >= 2
    assert counted("invalidations_total", source="notice", outcome="outdated") == 1
    assert counted("invalidations_total", source="notice", outcome="unknown") == 1
    assert counted("invalidations_total", source="sweep") >= 1
    assert counted("context_tokens_total", part="kept") == context["tokens"]
    assert counted("context_tokens_total", part="omitted") == context["omitted"]["tokens"] > 0
    assert counted("tokens_counted_total", encoding="o200k_base") > 150
    assert counted("store_commands_total", command="append") == 4
    assert counted("cron_failures_total") == 0
    for cron in ("sweep", "warm"):
        assert counted("cron_duration_seconds", cron=cron) > 0
        assert counted("cron_last_run_timestamp_seconds", cron=cron) > 1.7e9
    assert counted("cold_start_seconds_count") == counted("instances_total") >= 1
    assert counted("breaker_open", of="store") == 0


def requests(text: str, deployment: str) -> float:
    """Return how many were counted, but for looks at the metrics."""
    name, looks = "requests_total", {"route": "/api/metrics"}
    return total(text, name, deployment) - total(text, name, deployment, **looks)


def until(url: str, holds: Callable[[str], bool]) -> str:
    """Return what the metrics say once that *holds*."""
    while True:
        text = httpx.get(f"{url}/api/metrics", headers={"authorization": f"Bearer {METRICS_SECRET}"}, timeout=30).text
        if holds(text):
            return text


@pytest.fixture
async def documents(upstash: LocalUpstash) -> AsyncIterator[Documents]:
    settings = read_settings()
    store, pool = Store(settings), Pool(1)
    yield Documents(store, Counter(Encodings(pool), pool), settings)
    await store.close()


async def test_who_shares_a_load_of_a_document_is_counted(
    documents: Documents, documents_folder: Path, tenant: str
) -> None:
    (documents_folder / tenant).mkdir()
    (documents_folder / tenant / "a.txt").write_text("Sunny.")
    place = Place(tenant, "a.txt")
    await asyncio.gather(*(documents.resolve(place, None, Later()) for _ in range(3)))
    found = await documents.resolve(place, None, Later())
    assert documents.held(place, found.mark)

    assert documents.tiers.shared == 2
    assert documents.loads["loaded"] == 1
    assert documents.answers == {"source": 3, "L1": 2, "L2": 0, "STALE": 0, "none": 0}


async def test_who_waits_for_the_lease_of_another_instance_is_counted_once(
    documents: Documents, documents_folder: Path, tenant: str
) -> None:
    (documents_folder / tenant).mkdir()
    (documents_folder / tenant / "a.txt").write_text("Sunny.")
    place = Place(tenant, "a.txt")
    mark, _ = await documents.shelf.read(place, "")
    grant = await documents.shelf.begin(place, mark)
    assert isinstance(grant, Grant)
    load = asyncio.create_task(documents.tiers.get(place, mark))
    while not documents.tiers.waits:  # noqa: ASYNC110  # There is no event for it.
        await asyncio.sleep(0.01)
    await documents.shelf.release(place, grant)
    await load

    assert documents.tiers.waits == 1


async def test_who_comes_along_with_a_load_is_counted() -> None:
    flights: Flights[int] = Flights()

    async def load() -> int:
        return 1

    await asyncio.gather(*(flights.share("a", load) for _ in range(4)), flights.share("b", load))

    assert flights.shared == 3


def test_a_breaker_says_how_often_it_opened_and_whether_it_was_open_lately() -> None:
    now_s = 0.0
    breaker = Breaker(lambda: now_s)
    seen = [breaker.was_open()]
    for _ in range(FAILURES_MAX):
        breaker.record(breaker.enter() or 0, Sign.AWAY)
    seen.append(breaker.was_open())
    now_s = 60.0
    ticket = breaker.enter()
    assert ticket is not None
    breaker.record(ticket, Sign.THERE)
    seen += [breaker.was_open(), breaker.was_open()]

    assert seen == [False, True, True, False]
    assert breaker.opened == 1


async def test_of_two_latest_values_the_later_stays(deployment: str, run: Callable[..., Any]) -> None:
    store, name = Store(read_settings()), keys.metrics_key(deployment)
    for at_s, value in ((50, 5), (70, 7), (60, 6)):
        arguments: list[str | int] = [deployment, 100, 60, 600, 10, 20, 0, 0, "cron_duration warm", at_s, value]
        await store.eval("metrics", [name, keys.METRICS_KEY], arguments)
    await store.close()

    assert run("HGET", name, "cron_duration warm") == "70 7"


def test_the_windows_of_budgets_have_one_set_of_names() -> None:
    assert WINDOWS == POLICIES
