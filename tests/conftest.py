"""
Fixtures: the local Upstash server over a real Valkey (one per run), instances of the service in front of it, a
fresh tenant for each test.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import is_hypothesis_test, settings

from scripts.faults.server import FaultyServer
from scripts.local.object_store import ObjectStore, running_s3
from scripts.local.tenants import read_limits
from scripts.local.upstash import LocalUpstash
from scripts.local.valkey_cluster import ValkeyCluster, running_cluster
from shared.process import log
from shared.request.caller import make_key, read_key
from shared.store import keys
from tests import on_cluster
from tests.bearers import CHANGES_SECRET, CRON_SECRET, METRICS_SECRET
from tests.instances import client_of, running_instance
from tests.log_lines import LogLines
from tests.roots import CONTEXT, trust_one_root

NOT_BILLED = {"info", "ping", "hello", "select", "client", "config", "hincrby"}
"""What this look, and the local server's own connections, cost; and what counts a tenant's bytes: one for every 16 KiB
(charge.lua)."""

LOG_LEVEL = "warning"
"""A line for each of all requests would be much; tests of the log ask for them (`logged`)."""

LONGEST = (
    *("test_docs_commands", "test_half_way", "test_bench", "test_coherence", "test_document_coherence"),
    *("test_openai_sdist", "test_tokens_count", "test_openapi_typescript", "test_valid_out", "test_install"),
    *("test_openapi", "test_sweep_conversations", "test_compaction", "test_dev_server", "test_dashboard"),
    *("test_budget_state", "test_chaos_run", "test_load_run", "test_prove_memory", "test_roles"),
)
"""Files that take 20 s or more. They go first: one process would else have a long one left at the end."""

SETTINGS_TO_CLEAR = ("KV_REST_API_URL", "KV_REST_API_TOKEN", "REDIS_URL")

trust_one_root()
# Which case of a test takes long depends on what else the machine does; what may take how long has tests of its own.
settings.register_profile("warmthread", deadline=None)
settings.load_profile("warmthread")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--store", choices=("upstash", "cluster"), default="upstash", help="what instances have")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A run of the tests that measure time, and of no others, imports their files alone."""
    is_alone = config.getoption("markexpr") == "timing" and collection_path.name.startswith("test_")
    return True if is_alone and "mark.timing" not in collection_path.read_text() else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("store") == "cluster":
        on_cluster.select(config, items)
    for item in items:
        if is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker("unmeasured")
    items.sort(key=lambda item: item.path.stem not in LONGEST)


@pytest.fixture(scope="session")
def documents_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the warm instance has as its object store."""
    return tmp_path_factory.mktemp("documents")


@pytest.fixture(scope="session")
def cluster_in_use(pytestconfig: pytest.Config) -> Iterator[ValkeyCluster | None]:
    """The store of instances, where it is a cluster."""
    with running_cluster() if pytestconfig.getoption("store") == "cluster" else contextlib.nullcontext() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def upstash(documents_folder: Path, cluster_in_use: ValkeyCluster | None) -> Iterator[LocalUpstash]:
    """The store. `requests` counts what reached it since the last `reset`."""
    with LocalUpstash() as server, pytest.MonkeyPatch.context() as patch:
        if cluster_in_use is not None:
            patch.setenv("WARMTHREAD_STORE_URL", cluster_in_use.url)
        for name in SETTINGS_TO_CLEAR:
            patch.delenv(name, raising=False)
        patch.setenv("UPSTASH_REDIS_REST_URL", server.url)
        patch.setenv("UPSTASH_REDIS_REST_TOKEN", server.token)
        patch.setenv("WARMTHREAD_DOCUMENTS_URL", str(documents_folder))
        patch.setenv("WARMTHREAD_CHANGES_SECRET", CHANGES_SECRET)
        patch.setenv("CRON_SECRET", CRON_SECRET)
        patch.setenv("WARMTHREAD_METRICS_SECRET", METRICS_SECRET)
        # A flush behind an answer would spoil what tests count of requests; test_telemetry.py has its own.
        patch.setenv("WARMTHREAD_METRICS_FLUSH_S", "0")
        patch.setenv("WARMTHREAD_LOG_LEVEL", LOG_LEVEL)
        yield server


@pytest.fixture(scope="session")
def service_url(upstash: LocalUpstash) -> Iterator[str]:
    """The address of a warm instance."""
    with running_instance() as url:
        yield url


@pytest.fixture
def make_service(upstash: LocalUpstash) -> Iterator[Callable[[], str]]:
    """Start another, cold instance and return its address."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(running_instance())


@pytest.fixture
def make_api(make_service: Callable[[], str], key: str) -> Iterator[Callable[[], httpx.Client]]:
    """Start another, cold instance and return a client of it, which calls as the test's tenant."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(client_of(make_service(), key))


@pytest.fixture
def server(upstash: LocalUpstash) -> Iterator[FaultyServer]:
    """What stands in front of the store, and misbehaves."""
    with FaultyServer(upstash.url) as server:
        yield server


@pytest.fixture
def behind(server: FaultyServer, key: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., httpx.Client]]:
    """Start an instance that has the faulty server as its store, with settings; called as the test's tenant."""
    with contextlib.ExitStack() as stack:

        def start(**settings: object) -> httpx.Client:
            monkeypatch.setenv("UPSTASH_REDIS_REST_URL", server.url)
            for name, value in settings.items():
                monkeypatch.setenv(f"WARMTHREAD_{name.upper()}", str(value))
            return stack.enter_context(client_of(stack.enter_context(running_instance()), key))

        yield start


@pytest.fixture
def tenant_behind(
    behind: Callable[..., httpx.Client], service_url: str, mint: Callable[[], str]
) -> Callable[[], AbstractContextManager[tuple[str, httpx.Client, httpx.Client]]]:
    """Make a fresh tenant: its name, the warm instance, and one that has the faulty server as its store."""
    instance_url = str(behind().base_url)

    @contextlib.contextmanager
    def make() -> Iterator[tuple[str, httpx.Client, httpx.Client]]:
        key = mint()
        with client_of(service_url, key) as api, client_of(instance_url, key) as faulty:
            yield read_key(key).tenant, api, faulty

    return make


@pytest.fixture(scope="session")
def s3() -> Iterator[ObjectStore]:
    """A real S3 endpoint, moto's."""
    with running_s3() as store:
        yield store


@pytest.fixture
def front(s3: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """What the instances of the test take for S3: it counts and misbehaves."""
    with FaultyServer(s3.url) as server:
        s3.use(monkeypatch, server.url)
        yield server


@pytest.fixture
def service(front: FaultyServer, make_api: Callable[[], httpx.Client]) -> httpx.Client:
    """A cold instance whose documents come from *front*, called as the test's tenant."""
    return make_api()


@pytest.fixture
def fresh_crons(run: Callable[..., Any]) -> None:
    """What crons look at is not one tenant's: take away what other tests left."""
    jobs = [keys.cron_key(name) for name in ("sweep", "compact", "warm")]
    run("DEL", keys.SCOPES_KEY, keys.TENANTS_KEY, keys.HOT_KEY, *jobs)


@pytest.fixture
def tenant(key: str) -> str:
    return read_key(key).tenant


@pytest.fixture
def tenant_of() -> Callable[[str], str]:
    """Return the tenant of a key."""
    return lambda key: read_key(key).tenant


@pytest.fixture
def run(upstash: LocalUpstash, cluster_in_use: ValkeyCluster | None) -> Iterator[Callable[..., Any]]:
    """Run one command on the store, past the service."""
    if cluster_in_use is not None:
        yield cluster_in_use.run
        return
    headers = {"authorization": f"Bearer {upstash.token}"}
    with httpx.Client(base_url=upstash.url, headers=headers, verify=CONTEXT) as client:

        def command(*parts: object) -> Any:
            answer = client.post("/", json=list(parts)).json()
            assert "error" not in answer, answer
            return answer["result"]

        yield command


@pytest.fixture
def mint(run: Callable[..., Any]) -> Callable[[], str]:
    """Make a fresh tenant and return a key of it."""

    def mint_key() -> str:
        caller = read_key(key := make_key(f"t{uuid4().hex[:20]}"))
        run("HSETNX", keys.TENANTS_KEY, caller.tenant, "")
        run("HSET", keys.tenant_key(caller.tenant), f"k:{caller.key_hash}", "0")
        return key

    return mint_key


@pytest.fixture
def key(mint: Callable[[], str]) -> str:
    """A key of the test's own tenant."""
    return mint()


@pytest.fixture
def api(service_url: str, key: str) -> Iterator[httpx.Client]:
    """The warm instance, called as the test's tenant."""
    with client_of(service_url, key) as client:
        yield client


@pytest.fixture
def other_api(service_url: str, mint: Callable[[], str]) -> Iterator[httpx.Client]:
    """The warm instance, called as another tenant."""
    with client_of(service_url, mint()) as client:
        yield client


@pytest.fixture
def conversation(api: httpx.Client) -> str:
    """The id of a conversation of one message."""
    body = {"items": [{"role": "user", "content": "hello"}]}
    return str(api.post("/v1/conversations", json=body).json()["id"])


@pytest.fixture
def key_of(key: str) -> Callable[[str], str]:
    """Return the name under which the store keeps a conversation of the test's tenant."""
    return lambda conversation_id: keys.conversation_key(read_key(key).tenant, conversation_id)


@pytest.fixture
def stored(run: Callable[..., Any], key_of: Callable[[str], str]) -> Callable[[str], str]:
    """Return all that the store holds of a conversation, as one text."""
    return lambda conversation_id: str(sorted(run("HGETALL", key_of(conversation_id))))


@pytest.fixture
def ttl_s(run: Callable[..., Any], key_of: Callable[[str], str]) -> Callable[[str], int]:
    """Return the seconds that a conversation has left, -1 for ever."""
    return lambda conversation_id: int(run("TTL", key_of(conversation_id)))


@pytest.fixture
def billed_commands(run: Callable[..., Any]) -> Callable[[], int]:
    """Return how many commands the store ever ran, those inside scripts too, without this look at it."""

    def read() -> int:
        lines = run("INFO", "commandstats").splitlines()
        calls = {
            name.removeprefix("cmdstat_"): int(rest.split(",")[0].removeprefix("calls="))
            for name, _, rest in (line.partition(":") for line in lines if line.startswith("cmdstat_"))
        }
        return sum(count for name, count in calls.items() if name.split("|")[0] not in NOT_BILLED)

    return read


@pytest.fixture
def budget(run: Callable[..., Any], key: str) -> Callable[..., None]:
    """Set limits of the test's tenant as scripts/keys does."""

    def set_limits(**options: Any) -> None:
        for field, value in read_limits(options).items():
            run("HSET", keys.tenant_key(read_key(key).tenant), field, value)

    return set_limits


@pytest.fixture
def limit(run: Callable[..., Any], key: str) -> Callable[[str | None], None]:
    """Set the rate of the test's tenant: requests a minute and burst."""

    def set_rate(rate: str | None) -> None:
        name = keys.tenant_key(read_key(key).tenant)
        run("HDEL", name, "rate", "tat")
        if rate is not None:
            run("HSET", name, "rate", rate)

    return set_rate


@pytest.fixture
def deployment(upstash: LocalUpstash, monkeypatch: pytest.MonkeyPatch) -> str:
    """A deployment of the test's own, whose instances hand over what they count behind their first answer."""
    name = f'dpl_{uuid4().hex}"\\'
    monkeypatch.setenv("VERCEL_DEPLOYMENT_ID", name)
    monkeypatch.setenv("WARMTHREAD_METRICS_FLUSH_S", "3600")
    return name


@pytest.fixture
def kept(run: Callable[..., Any], deployment: str) -> Callable[[], dict[str, str]]:
    """Return what the store has of the test's deployment."""

    def read() -> dict[str, str]:
        reply = run("HGETALL", keys.metrics_key(deployment))
        return dict(zip(reply[::2], reply[1::2], strict=True))

    return read


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[LogLines]:
    """What instances log while the test runs, those of requests too."""
    monkeypatch.setenv("WARMTHREAD_LOG_LEVEL", "info")
    log.begin("info", "the tests' own")
    yield LogLines()
    log.limit(LOG_LEVEL)


@pytest.fixture
def clock(upstash: LocalUpstash) -> Iterator[LocalUpstash]:
    """The store, whose clock the test may shift."""
    yield upstash
    upstash.clock_shift_s = 0
