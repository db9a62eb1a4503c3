"""What a refusal of the store says of a write: nothing was stored, or nobody knows; and that the store is full."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import orjson
import pytest

from shared.errors import StoreFull
from shared.store.failure import Failure
from shared.store.keys import rows_key
from shared.store.replies import read_replies

WITHIN = " script: 3f786850e387550fdab836ed7e6dc881de23001b, on @user_script:7."
WITHIN_VALKEY = " script: on @user_script:7."
MESSAGE = {"items": [{"role": "user", "content": "hello"}]}

BEFORE = (
    "WRONGPASS invalid or missing auth token",
    "NOSCRIPT No matching script.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "ERR max request size exceeded",
    "ERR max requests limit exceeded.",
    "ERR max daily request limit exceeded. Limit: 10000, Usage: 10000.",
    "ERR max concurrent connections exceeded",
    "ERR failed to parse pipeline request",
    "ERR wrong number of arguments for 'eval' command",
    "ERR Error compiling script (new function): user_script:2: '=' expected near 'is'",
)
UNKNOWN = (
    "ERR DB capacity quota exceeded",
    "ERR max single record size exceeded",
    "ERR max key size exceeded. Limit: 1 bytes, Actual: 2 bytes",
    "WRONGTYPE Operation against a key holding the wrong kind of value" + WITHIN,
    "WRONGTYPE Operation against a key holding the wrong kind of value" + WITHIN_VALKEY,
    "OOM command not allowed when used memory > 'maxmemory'." + WITHIN,
    "OOM command not allowed when used memory > 'maxmemory'." + WITHIN_VALKEY,
    "ERR max requests limit exceeded." + WITHIN,
    "ERR something that nobody has seen yet",
    "UNKILLABLE Sorry the script already executed write commands",
    "",
)


def refusal(reason: str, *, is_script: bool, is_pipeline: bool) -> Failure:
    """Return what is made of *reason*, as it comes alone (status 400) or among the replies of a pipeline."""
    body: Any = {"error": reason}
    if is_pipeline:
        [failure] = read_replies(200, orjson.dumps([body]), [is_script], is_pipeline=True)  # type: ignore[arg-type]
        return failure
    with pytest.raises(Failure) as raised:
        read_replies(400, orjson.dumps(body), [is_script], is_pipeline=False)  # type: ignore[arg-type]
    return raised.value


@pytest.mark.parametrize("is_pipeline", [False, True])
@pytest.mark.parametrize(("reasons", "is_open"), [(BEFORE, False), (UNKNOWN, True)])
def test_only_a_refusal_that_comes_before_a_script_begins_says_that_nothing_was_stored(
    reasons: tuple[str, ...], is_open: bool, is_pipeline: bool
) -> None:
    for reason in reasons:
        refused = refusal(reason, is_script=True, is_pipeline=is_pipeline)

        assert refused.outcome_unknown is is_open, reason
        assert refused.for_caller(is_read=False).extensions == {"outcome_unknown": is_open}
        assert refused.for_caller(is_read=True).extensions == {"outcome_unknown": False}


def test_a_command_that_is_no_script_does_all_or_nothing() -> None:
    for reason in (*BEFORE, *UNKNOWN):
        assert not refusal(reason, is_script=False, is_pipeline=True).outcome_unknown


@pytest.mark.parametrize(("status", "is_open"), [(401, False), (413, False), (429, False), (408, True), (499, True)])
def test_a_request_that_is_refused_as_a_whole_was_carried_out_or_not_by_its_status(status: int, is_open: bool) -> None:
    with pytest.raises(Failure) as raised:
        read_replies(status, b"no JSON", [False, True], is_pipeline=True)  # type: ignore[arg-type]

    assert raised.value.outcome_unknown is is_open


def test_a_store_without_room_is_a_problem_of_its_own() -> None:
    full = [reason for reason in (*BEFORE, *UNKNOWN) if refusal(reason, is_script=True, is_pipeline=True).is_full]
    error = refusal(UNKNOWN[0], is_script=True, is_pipeline=False).for_caller(is_read=False)

    assert len(full) == 5
    assert isinstance(error, StoreFull)
    assert (error.status, error.slug) == (503, "store-full")


@pytest.fixture
def full(run: Callable[..., Any]) -> Iterator[Callable[[], None]]:
    """Let the store have no memory left, until the test's end."""
    yield lambda: run("CONFIG", "SET", "maxmemory", "1")
    run("CONFIG", "SET", "maxmemory", "0")


def test_a_full_store_refuses_writes_truly_and_answers_reads(
    api: httpx.Client, conversation: str, stored: Any, full: Callable[[], None]
) -> None:
    before, path = stored(conversation), f"/v1/conversations/{conversation}/items"
    full()
    refused, answered = api.post(path, json=MESSAGE), api.get(path)

    assert (refused.status_code, refused.headers["x-should-retry"]) == (503, "false")
    assert int(refused.headers["retry-after"]) > 0
    problem = refused.json()
    assert (problem["type"], problem["outcome_unknown"]) == ("urn:warmthread:problem:store-full", False)
    assert (answered.status_code, stored(conversation)) == (200, before)


def test_a_script_that_breaks_off_half_way_says_that_nobody_knows(
    api: httpx.Client, tenant: str, conversation: str, run: Callable[..., Any]
) -> None:
    run("DEL", rows_key(tenant, 0))
    run("SET", rows_key(tenant, 0), "no hash")
    answer = api.post(f"/v1/conversations/{conversation}", json={"metadata": {"a": "b"}})
    run("DEL", rows_key(tenant, 0))

    assert answer.status_code == 503
    assert answer.json()["outcome_unknown"] is True
    assert "not known" in answer.json()["detail"]
