"""scripts/check-deployment, whatever one answer is: it ends with a word for each check, and leaves nothing."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scripts.faults.server import Fault, FaultyServer
from scripts.smoke.access import Access
from scripts.smoke.deployment import NAMES, check_deployment
from scripts.smoke.result import State
from shared.setting import Secret
from shared.store import keys
from tests.bearers import METRICS_SECRET
from tests.gates import SpoilingServer
from tests.lives import SETTINGS

pytestmark = [pytest.mark.unmeasured, pytest.mark.usefixtures("fresh_crons")]

CALLS_MAX, CREATE = 36, 11
"""How many requests there are, and which of them makes the conversation: if its answer is lost, nobody knows the id."""

EXPIRES_AFTER_S = 3_600
LOST = (Fault.CLOSE, Fault.TRUNCATE, Fault.NOT_HTTP, Fault.NOT_JSON, Fault.ERROR_500, Fault.REFUSE_401)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["id", "data", "status", "warnings", "store", "day", "messages"]), inner)
    ),
    max_leaves=5,
)


@pytest.fixture
def access(key: str) -> Access:
    return Access(key=Secret(key), metrics=Secret(METRICS_SECRET))


def test_the_conversation_is_made_by_the_request_that_is_thought_to(service_url: str, access: Access) -> None:
    with FaultyServer(service_url) as server:
        states = check(server, access)

    assert State.FAILED not in states.values()
    assert server.paths[CREATE - 1] == "/v1/conversations"
    assert len(server.paths) <= CALLS_MAX


@pytest.fixture
def left(run: Callable[..., Any], tenant: str) -> Callable[[], list[int]]:
    """Return the seconds that each conversation of the tenant's has left."""
    return lambda: [int(run("TTL", name)) for name in run("KEYS", keys.conversation_key(tenant, "*"))]


def check(server: FaultyServer, access: Access) -> dict[str, State]:
    found = asyncio.run(check_deployment(server.url, access, without=("sweep", "warm"), timeout_s=5))
    told = " ".join(each.text for each in found)

    assert access.key not in told
    assert METRICS_SECRET not in told
    assert [each.name for each in found] == [name for name in NAMES if name not in ("sweep", "warm")]
    return {each.name: each.state for each in found}


@settings(SETTINGS, max_examples=10)
@example(nth=CREATE, body=b'{"id":"../../v1/usage"}')
@example(nth=1, body=b'{"status":"ok","warnings":7,"store":[]}')
@given(nth=st.integers(1, CALLS_MAX), body=JSON.map(orjson.dumps) | st.binary(max_size=20))
def test_whatever_one_answer_says_each_check_comes_to_something(
    service_url: str, access: Access, left: Callable[[], list[int]], nth: int, body: bytes
) -> None:
    before = left()
    with SpoilingServer(service_url, nth, body) as server:
        check(server, access)

    assert nth == CREATE or len(left()) == len(before)
    assert all(0 <= seconds <= EXPIRES_AFTER_S for seconds in left())


@settings(SETTINGS, max_examples=10)
@given(nth=st.integers(1, CALLS_MAX), fault=st.sampled_from(LOST))
def test_whichever_answer_is_lost_it_is_said_and_nothing_stays(
    service_url: str, access: Access, left: Callable[[], list[int]], nth: int, fault: Fault
) -> None:
    before = left()
    with FaultyServer(service_url) as server:
        server.faults.extend([Fault.NONE] * (nth - 1) + [fault])
        states = check(server, access)

    assert server.requests < nth or State.FAILED in states.values()
    assert nth == CREATE or len(left()) == len(before)
    assert all(0 <= seconds <= EXPIRES_AFTER_S for seconds in left())
