"""scripts/check-deployment: what a person hears of a deployment that works, and of one that does not."""

import asyncio
import json
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.faults.server import Fault, FaultyServer
from scripts.smoke.__main__ import main
from scripts.smoke.access import Access
from scripts.smoke.deployment import NAMES, check_deployment
from scripts.smoke.result import Check, State
from shared.setting import Secret
from tests.bearers import CHANGES_SECRET, CRON_SECRET, METRICS_SECRET
from tests.gates import BYPASS_SECRET, ProtectedServer
from tests.processes import start
from tests.role_requests import key_with

pytestmark = [pytest.mark.unmeasured, pytest.mark.usefixtures("fresh_crons")]

SECRETS = {"metrics": Secret(METRICS_SECRET), "cron": Secret(CRON_SECRET), "changes": Secret(CHANGES_SECRET)}
PASSED, WARNING, FAILED, SKIPPED = State


@pytest.fixture
def access(key: str) -> Access:
    """All that whoever deployed knows."""
    return Access(key=Secret(key), **SECRETS)


def checked(url: str, access: Access, **options: Any) -> dict[str, Check]:
    """Return what the check of *url* found, by name; no secret is in it."""
    found = asyncio.run(check_deployment(url, access, **options))
    told = " ".join(each.text for each in found)

    assert [each for each in access if each and each in told] == []
    return {each.name: each for each in found}


def states(found: Mapping[str, Check]) -> dict[str, State]:
    return {name: each.state for name, each in found.items()}


def failed(found: Mapping[str, Check]) -> dict[str, str]:
    return {name: each.text for name, each in found.items() if each.state is FAILED}


def conversations_of(api: httpx.Client) -> list[str]:
    return [each["id"] for each in api.get("/v1/conversations").json()["data"]]


def test_all_is_passed_and_nothing_is_left(
    service_url: str, access: Access, api: httpx.Client, budget: Callable[..., None], documents_folder: Any, tenant: str
) -> None:
    budget(tokens_day="1000")
    (documents_folder / tenant).mkdir()
    (documents_folder / tenant / "a.md").write_text("Closed on Mondays.")
    told: list[Check] = []

    found = checked(service_url, access, document="a.md", tell=told.append)

    assert states(found) == dict.fromkeys(NAMES, PASSED) | {"warm": WARNING}
    assert list(found) == [each.name for each in told] == list(NAMES)
    assert found["document"].text == "a.md was read, 18 bytes"
    assert "WARMTHREAD_OWN_URL" in found["warm"].text  # Nothing else here knows the address of the instance.
    assert conversations_of(api) == []
    assert api.get("/v1/usage").json()["day"]["tokens"]["reserved"] == 0


@pytest.mark.parametrize(
    ("role", "skipped"),
    [
        ("read", {"create": "append", "append": "", "context": "", "delete": "", "budget": "append"}),
        ("append", {"delete": "full"}),
        ("full", {}),
        ("admin", {}),
    ],
)
def test_it_works_with_a_key_of_every_role_and_says_what_that_is_too_little_for(
    service_url: str,
    api: httpx.Client,
    budget: Callable[..., None],
    tenant: str,
    run: Callable[..., Any],
    role: str,
    skipped: dict[str, str],
) -> None:
    budget(tokens_day="1000")
    access = Access(key=Secret(key_with(run, tenant, role)), **SECRETS)

    found = checked(service_url, access)

    assert failed(found) == {}
    assert {name for name, state in states(found).items() if state is SKIPPED} == skipped.keys()
    for name, needed in skipped.items():
        expected = (
            f"the role of WARMTHREAD_KEY, {role}, is too little for it: scripts/keys create {tenant} --role {needed}"
            if needed
            else "there is no conversation"
        )
        assert found[name].text.startswith(expected)
    left = [api.get(f"/v1/conversations/{each}").json()["expires_at"] for each in conversations_of(api)]
    assert len(left) == (role == "append")
    assert all(0 < expires_at - time.time() <= 3_600 for expires_at in left)


def test_what_is_not_known_is_skipped_and_named(service_url: str) -> None:
    found = checked(service_url, Access())

    assert {name for name, state in states(found).items() if state is not SKIPPED} == {
        *("health", "settings", "eviction", "static", "strangers", "deployment")
    }
    assert "WARMTHREAD_KEY" in found["create"].text
    assert "CRON_SECRET" in found["sweep"].text
    assert "closed to others" in found["metrics"].text


def test_a_tenant_without_a_budget_is_told_so(service_url: str, access: Access, api: httpx.Client) -> None:
    found = checked(service_url, access, without=("sweep", "warm"))

    assert found["budget"].state is SKIPPED
    assert "--tokens-day" in found["budget"].text
    assert "sweep" not in found
    assert api.get("/v1/usage").json()["day"]["tokens"]["reserved"] == 0


@pytest.mark.parametrize(
    "limit", [{"usd_month": "2"}, {"tokens_day": "999999999"}, {"tokens_month": "5", "usd_day": "1"}]
)
def test_every_kind_of_budget_refuses_what_is_beyond_it(
    service_url: str, access: Access, budget: Callable[..., None], limit: dict[str, str]
) -> None:
    budget(**limit)
    others = tuple(name for name in NAMES if name not in ("health", "budget"))

    assert states(checked(service_url, access, without=others)) == {"health": PASSED, "budget": PASSED}


def test_a_rate_is_waited_for(service_url: str, access: Access, limit: Callable[[str | None], None]) -> None:
    limit("1200 1")
    others = tuple(name for name in NAMES if name not in ("create", "append", "context", "delete"))

    assert set(states(checked(service_url, access, without=others)).values()) == {PASSED}


def test_a_key_of_another_store_is_said_to_be_one(service_url: str, access: Access, tenant: str) -> None:
    found = checked(service_url, access._replace(key=Secret(f"wt_{tenant}_made-elsewhere")))

    assert {"create", "count", "budget", "document"} <= set(failed(found))
    assert "made in the store of this deployment" in found["create"].text
    assert found["append"].state is SKIPPED


def test_wrong_secrets_open_nothing(service_url: str, access: Access) -> None:
    wrong = Secret("of-another-deployment")
    found = checked(service_url, access._replace(metrics=wrong, cron=wrong, changes=wrong))

    assert set(failed(found)) == {"metrics", "changes", "sweep", "warm"}
    assert "does not open to the WARMTHREAD_METRICS_SECRET that is set here" in found["metrics"].text


def test_a_store_that_is_away_is_named_once(
    behind: Callable[..., httpx.Client], server: FaultyServer, access: Access
) -> None:
    url = str(behind().base_url)
    server.leave()
    found = checked(url, access)

    assert set(failed(found)) == {"health"}
    assert "store-unavailable" in found["health"].text
    assert found["static"].state is PASSED
    assert {found[name].state for name in ("create", "budget", "metrics", "sweep")} == {SKIPPED}


def test_a_store_that_evicts_is_a_failure(service_url: str, access: Access, run: Callable[..., Any]) -> None:
    run("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        found = checked(service_url, access)
    finally:
        run("CONFIG", "SET", "maxmemory-policy", "noeviction")

    assert set(failed(found)) == {"eviction"}
    assert "turn eviction off" in found["eviction"].text


def test_a_wrong_setting_is_named(
    make_service: Callable[[], str], access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARMTHREAD_RESERVATION_S", "forever")
    found = checked(make_service(), access)

    assert set(failed(found)) == {"settings", "budget"}
    assert "WARMTHREAD_RESERVATION_S" in found["settings"].text
    assert "misconfigured" in found["budget"].text


def test_a_store_far_away_is_a_warning(
    behind: Callable[..., httpx.Client], server: FaultyServer, access: Access
) -> None:
    url = str(behind().base_url)
    server.delay_s = 0.03
    others = tuple(name for name in NAMES if name not in ("create", "delete", "distance"))
    found = checked(url, access, without=others)

    assert states(found) == {"create": PASSED, "delete": PASSED, "distance": WARNING}
    assert "one region" in found["distance"].text


def test_another_deployment_than_the_wanted_one_is_a_failure(service_url: str, access: Access) -> None:
    only = tuple(name for name in NAMES if name not in ("health", "deployment"))

    assert states(checked(service_url, access, without=only, deployment="local"))["deployment"] is PASSED
    assert (
        "local answered instead of dpl_9"
        in failed(checked(service_url, access, without=only, deployment="dpl_9"))["deployment"]
    )


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault.CLOSE, "the answer broke off"),
        (Fault.NOT_HTTP, "the answer broke off"),
        (Fault.NOT_JSON, "no answer of Warmthread"),
        (Fault.ERROR_500, "no answer of Warmthread"),
        (Fault.REFUSE_403, "the deployment is protected"),
        (Fault.SILENT, "no answer within 0.2 s"),
    ],
)
def test_what_stands_between_is_told_from_the_service(
    service_url: str, access: Access, fault: Fault, said: str
) -> None:
    with FaultyServer(service_url) as proxy:
        proxy.fault = fault
        found = checked(proxy.url, access, timeout_s=0.2)

    assert set(failed(found)) == {"health", "static"}
    assert said in found["health"].text


def test_nobody_there_is_told_as_that(access: Access) -> None:
    found = checked("http://127.0.0.1:1", access)

    assert "no connection" in failed(found)["health"]


def test_a_protected_deployment_opens_to_its_bypass_alone(service_url: str, access: Access) -> None:
    with ProtectedServer(service_url) as gate:
        closed = checked(gate.url, access)
        opened = checked(gate.url, access._replace(bypass=Secret(BYPASS_SECRET)))

    assert "--bypass" in failed(closed)["health"]
    assert set(states(opened).values()) <= {PASSED, WARNING, SKIPPED}


def test_an_interrupted_check_leaves_nothing(service_url: str, access: Access, api: httpx.Client) -> None:
    async def interrupt() -> None:
        made = asyncio.Event()

        def tell(check: Check) -> None:
            if check.name == "append":
                made.set()

        running = asyncio.create_task(check_deployment(service_url, access, tell=tell))
        await made.wait()
        assert len(await asyncio.to_thread(conversations_of, api)) == 1
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(interrupt())

    assert conversations_of(api) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_which_takes_away_what_it_made(
    service_url: str, api: httpx.Client, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setenv("WARMTHREAD_KEY", key)
    with FaultyServer(service_url) as proxy:
        proxy.faults.extend([*[Fault.NONE] * 11, Fault.SILENT])  # The append is waited for.
        with start(tmp_path, "scripts.smoke", proxy.url) as process:
            while proxy.requests < 12:
                assert proxy.arrived.wait(30)
                proxy.arrived.clear()
            assert len(conversations_of(api)) == 1
            process.send_signal(number)
            _, errors = process.communicate(timeout=30)

    assert (process.returncode, "Traceback" in errors) == (130, False)
    assert "interrupted" in errors
    assert conversations_of(api) == []


@pytest.fixture
def known(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that knows a key."""
    monkeypatch.setenv("WARMTHREAD_KEY", access.key)


@pytest.mark.usefixtures("known")
def test_the_command_prints_a_line_for_each_check_and_fails_with_one(
    service_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([service_url]) == 0
    lines = capsys.readouterr().out.splitlines()
    monkeypatch.setenv("CRON_SECRET", "of-another-deployment")
    assert main([service_url, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)

    assert [line.split()[1] for line in lines[:-1]] == list(NAMES) == [each["name"] for each in told]
    assert lines[-1].endswith(" skipped")
    assert [each["name"] for each in told if each["state"] == "failed"] == ["sweep", "warm"]
