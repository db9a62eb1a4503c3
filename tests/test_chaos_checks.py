"""What the checks of `scripts/prove chaos` find: each thing that may never be, and each damage done on purpose."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from scripts.faults.server import RESP_FAULTS, Fault, FaultyServer
from scripts.local.upstash import LocalUpstash
from scripts.proving.chaos import plants
from scripts.proving.chaos.answers import Answer, Recorder, RunIsOver, broken_answers
from scripts.proving.chaos.site import BURST, LIMIT_TOKENS
from scripts.proving.chaos.spending import Asked, Books, broken_rate
from scripts.proving.chaos.stores import FAULTS, WRONG
from scripts.proving.coherence.stored import Stored
from scripts.proving.documents.experiment import Options, Seen, Write, check
from scripts.proving.history.checker import check as check_history
from scripts.proving.history.checker import kinds
from scripts.proving.history.recorded import Append, History, Outcome, Read
from shared.request.caller import read_key
from shared.store import keys
from tests.budget_calls import reserve, wait_until

S = 1_000_000_000
RIGHT = Answer("GET conversations/…", 0, S, 200, "dpl_first/api/conversations#1")


class Recorded:
    """A conversation of two batches as the service stored it, and what its caller recorded."""

    def __init__(self, api: httpx.Client, key: str, run: Callable[..., Any]) -> None:
        made = api.post("/v1/conversations", json={}).json()["id"]
        self.key = keys.conversation_key(read_key(key).tenant, made)
        self.operations: list[Any] = []
        ids: tuple[str, ...] = ()
        for at, texts in enumerate((("a", "b"), ("c",))):
            items = [{"role": "user", "content": text} for text in texts]
            answer = api.post(f"/v1/conversations/{made}/items", json={"items": items}).json()
            new = tuple(each["id"] for each in answer["data"])
            ids += new
            self.operations.append(Append(0, 10 * at + 1, 10 * at + 2, Outcome.OK, texts, new))
        self.operations.append(Read(1, 30, 31, ids, version=3))
        self.ids = ids
        reached = SimpleNamespace(key=key, run=run, available=())
        self.stored = Stored(reached, made, {})

    def found(self, operations: list[Any] | None = None) -> set[str]:
        return set(kinds(check_history(History(operations or self.operations, self.stored.log(), {}))))


@pytest.fixture
def recorded(api: httpx.Client, key: str, run: Callable[..., Any]) -> Recorded:
    return Recorded(api, key, run)


def test_a_history_of_the_service_itself_is_found_right(recorded: Recorded) -> None:
    assert recorded.found() == set()


def test_a_lost_item_is_found(recorded: Recorded, run: Callable[..., Any]) -> None:
    plants.lose(run, recorded.key, plants.acknowledged(recorded.operations, recorded.stored))

    assert "lost" in recorded.found()


def test_a_doubled_item_is_found(recorded: Recorded, run: Callable[..., Any]) -> None:
    plants.double(run, recorded.key, recorded.ids[2])

    assert "duplicate" in recorded.found()


def test_a_stale_read_is_found(recorded: Recorded) -> None:
    assert "stale" in recorded.found(plants.staled(recorded.operations))


def test_what_cannot_be_damaged_says_so(recorded: Recorded) -> None:
    with pytest.raises(ValueError, match="acknowledged"):
        plants.acknowledged([], recorded.stored)
    with pytest.raises(ValueError, match="spoil"):
        plants.staled(recorded.operations[:2])


def test_an_overrun_is_found_though_some_looks_have_no_answer(
    api: httpx.Client, key: str, upstash: LocalUpstash, server: FaultyServer, run: Callable[..., Any]
) -> None:
    def looked() -> list[str]:
        recorder = Recorder()
        server.faults.append(Fault.REFUSE_400)
        environ = {"UPSTASH_REDIS_REST_URL": server.url, "UPSTASH_REDIS_REST_TOKEN": upstash.token}
        store = SimpleNamespace(environ=environ)
        books = Books(cast("Any", SimpleNamespace(spender=key, recorder=recorder, store=store)))
        with ThreadPoolExecutor(1) as pool:
            looking = pool.submit(books.work)
            wait_until(lambda: len(books.looks) > 1)
            recorder.gone.set()
        assert isinstance(looking.exception(), RunIsOver)
        return books.broken()

    tenant = read_key(key).tenant
    run("HSET", keys.tenant_key(tenant), "limit:tokens-month", LIMIT_TOKENS)
    assert [reserve(api, LIMIT_TOKENS - 1).status_code, reserve(api, 2).status_code] == [200, 429]
    assert looked() == []

    plants.overrun(run, tenant)
    assert reserve(api, 2).status_code == 200
    assert "overrun" in looked()[0]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (RIGHT._replace(status=500, is_problem=True), "error"),
        (RIGHT._replace(status=502, is_problem=True), "error"),
        (RIGHT._replace(status=503), "no problem"),
        (RIGHT._replace(status=401, is_problem=True), "turned away"),
        (RIGHT._replace(end_ns=31 * S), "late"),
    ],
)
def test_answers_that_may_never_be_are_found(answer: Answer, kind: str) -> None:
    assert [each.partition(":")[0] for each in broken_answers([RIGHT, answer])] == [kind]


def test_refusals_that_say_what_is_wrong_and_the_routers_own_answers_are_none_of_them() -> None:
    refused = [RIGHT._replace(status=status, is_problem=True) for status in (400, 404, 409, 429, 503, 504)]
    routers = [RIGHT._replace(status=502, by="router"), RIGHT._replace(status=0, by="none", end_ns=40 * S)]

    assert broken_answers(refused + routers) == []


def asked(count: int, apart_s: float, status: int = 200) -> list[Asked]:
    return [Asked(int(at * apart_s * S), int((at * apart_s + 0.01) * S), status) for at in range(count)]


def test_a_rate_is_over_in_any_stretch_that_admits_too_much() -> None:
    assert broken_rate(asked(BURST, 0.001)) == []
    assert broken_rate(asked(BURST + 40, 1.0)) == []
    assert broken_rate(asked(BURST + 3, 0.001)) != []
    assert broken_rate([*asked(2, 60.0), *(each._replace(status=200) for each in asked(BURST + 3, 0.001))]) != []
    assert broken_rate(asked(BURST + 3, 0.001, 429)) == []
    # A full store writes down no permits.
    assert broken_rate(asked(BURST + 3, 0.001), [(0, S)]) == []


def test_an_old_document_is_found_and_one_whose_change_nobody_acknowledged_is_not() -> None:
    writes = [Write(1, 0, 0, 1), Write(2, 2, 2, 3), Write(3, 4, 4, float("inf"))]
    seen = [Seen(0, "document", 3.5, 3.6, 2), Seen(0, "document", 5, 5.1, 2), Seen(0, "document", 5, 5.1, 3)]

    assert check(writes, seen, Options(0)) == []
    assert len(check(writes, [seen[0]._replace(number=1)], Options(0))) == 1


def test_every_fault_of_the_store_has_a_name_in_the_schedule() -> None:
    left = set(Fault) - set(FAULTS.values()) - set(WRONG) - {Fault.NONE, Fault.DRIP} - RESP_FAULTS

    assert left == set()
