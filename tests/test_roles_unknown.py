"""What roles rest on: what a key's field may say, what a script is told, what an instance remembers of a refusal."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.faults.server import Fault, FaultyServer
from scripts.local.key_fields import UNREADABLE, KeyField
from shared.environment import read_settings
from shared.errors import InsufficientRole, Unauthorized
from shared.request.caller import make_key, read_key
from shared.request.invocation import CURRENT, Invocation
from shared.request.permits import KNOWN_S, Permits
from shared.request.roles import ADMIN, APPEND, DEFAULT, FULL, MEANINGS, READ, ROLES, allowed, highest, is_enough
from shared.store.keys import tenant_key
from shared.store.refusals import raise_refusal
from shared.store.script import scripts
from shared.store.upstash import Store
from tests.clocks import ManualClock
from tests.conversations import everything
from tests.instances import client_of
from tests.role_requests import MORE, key_with

FORMS = {
    "0 superuser": 403,
    "0 reader": 403,
    "0 rea": 403,
    **dict.fromkeys(("0 Full", "0  full", "0 full ", " 0 full", "0 full extra", "0 full/admin", "0 /"), 401),
    **dict.fromkeys(("0 ", " 0", "", "full", "-1", "0x0", "1e999", "0.5", "0full", "0\nfull", "0,full"), 401),
    **dict.fromkeys(("1", "1 full", "1 admin", "1700000000 read", "1700000000 superuser"), 401),
    **dict.fromkeys(("0", "0 full", "0 read", "0 append", "0 admin", "99999999999", "99999999999 read"), 200),
}
"""What may stand in the field of a key -> what a read with it is answered."""


@pytest.mark.parametrize("rate", [None, "600000 600000"], ids=["no rate", "a rate"])
@pytest.mark.parametrize(("form", "status"), FORMS.items())
def test_what_is_no_role_that_is_known_is_allowed_nothing(
    form: str, status: int, rate: str | None, service_url: str, tenant: str, limit: Any, run: Callable[..., Any]
) -> None:
    limit(rate)
    caller = read_key(key := make_key(tenant))
    run("HSET", tenant_key(tenant), f"k:{caller.key_hash}", form)
    before = everything(run, tenant)
    with client_of(service_url, key) as client:
        answers = [client.get("/v1/usage"), client.post("/v1/tokens/count", json={"model": "gpt-4o", "input": "a"})]
        written = client.post("/v1/conversations", json=MORE)

    assert [answer.status_code for answer in answers] == [status] * 2
    if status != 200:
        assert written.status_code == status
        assert everything(run, tenant) == before
    if status == 403:
        role = form.split()[1]
        assert (
            answers[0]
            .json()["detail"]
            .startswith(
                f"The API key has the role '{role}', which this version does not know; this takes 'read', or more."
            )
        )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    forms=st.lists(
        st.text(max_size=20)
        | st.from_regex(r"[0-9]{1,4} ?[a-z/ ]{0,8}", fullmatch=True)
        | st.tuples(st.sampled_from(("0", "1", "9" * 11, "9" * 400)), st.sampled_from((*ROLES, "owner"))).map(" ".join),
        min_size=1,
        max_size=10,
    ),
    least=st.sampled_from(ROLES),
)
def test_scripts_read_a_field_as_it_is_shown_and_nothing_else_is_let_through(
    forms: list[str], least: str, tenant: str, upstash: Any, run: Callable[..., Any]
) -> None:
    async def asked() -> list[list[Any]]:
        store = Store(read_settings())
        CURRENT.set(invocation := Invocation(Permits()))
        invocation.require(least)
        replies = [await _reply(store, tenant, digest) for digest in digests]
        await store.close()
        return replies

    digests = [f"{number:064x}" for number in range(len(forms))]
    run(
        "HSET",
        tenant_key(tenant),
        *itertools.chain(*((f"k:{at}", form) for at, form in zip(digests, forms, strict=True))),
    )
    for form, reply in zip(forms, asyncio.run(asked()), strict=True):
        field = KeyField.read(form)
        is_valid = field.role != UNREADABLE and (not field.ends_at_unix_s or field.ends_at_unix_s > 10**10)
        if not is_valid:
            assert reply == ["unauthorised"]
        else:
            assert reply == (["ok"] if is_enough(field.role, least) else ["forbidden", field.role])


async def _reply(store: Store, tenant: str, digest: str) -> list[Any]:
    try:
        return await store.eval("key", [tenant_key(tenant)], [digest])
    except InsufficientRole as error:
        return ["forbidden", error.extensions["role"]]


def test_what_is_told_of_roles_to_a_script_names_those_that_will_do() -> None:
    assert [allowed(role) for role in ROLES] == [
        "/read/append/full/admin/",
        "/append/full/admin/",
        "/full/admin/",
        "/admin/",
    ]
    assert (READ, APPEND, FULL, ADMIN) == ROLES
    assert (DEFAULT, *MEANINGS) == (FULL, *ROLES)
    for role, least in itertools.product(ROLES, ROLES):
        assert is_enough(role, least) == (ROLES.index(role) >= ROLES.index(least))
        assert highest(role, least) == ROLES[max(ROLES.index(role), ROLES.index(least))]
    for unknown in ("", "superuser", "read/append", "full "):
        assert not is_enough(unknown, READ)
        with pytest.raises(ValueError, match="not in tuple"):
            allowed(unknown)


@pytest.mark.parametrize("told", ["", "+", " 1", "/", "//", "/read", "read/", "2+", "/read/append"])
@pytest.mark.parametrize("takes_permits", [False, True])
def test_a_script_that_is_not_told_of_roles_does_nothing(
    told: str, takes_permits: bool, upstash: Any, key: str, run: Callable[..., Any]
) -> None:
    caller = read_key(key)
    source = scripts.source("reserve", takes_permits=takes_permits, locks_keys=True)
    before = everything(run, caller.tenant)
    headers = {"authorization": f"Bearer {upstash.token}"}
    command = ["EVAL", source, 1, tenant_key(caller.tenant), f"{caller.key_hash}{told}"]
    answer = httpx.post(upstash.url, json=command, headers=headers).json()

    # What lacks its end is read as asking for a key of the roles before.
    assert "error" in answer or answer["result"] in (["forbidden", "full"], [["forbidden", "full"], [], "0"])
    assert everything(run, caller.tenant) == before


async def test_outside_of_any_invocation_a_script_takes_any_role_that_is_known(
    tenant: str, upstash: Any, run: Callable[..., Any]
) -> None:
    store, replies = Store(read_settings()), {}
    for role in (*ROLES, "superuser"):
        caller = read_key(key_with(run, tenant, role))
        replies[role] = await store.eval("key", [tenant_key(tenant)], [caller.key_hash])
    await store.close()

    assert replies == {**{role: ["ok"] for role in ROLES}, "superuser": ["forbidden", "superuser"]}
    with pytest.raises(InsufficientRole, match="'superuser'"):
        raise_refusal(replies["superuser"], "", read_settings())
    with pytest.raises(Unauthorized):
        raise_refusal(["unauthorised"], "", read_settings())


async def test_a_refusal_is_remembered_for_as_long_as_a_confirmation_is(
    tenant: str, upstash: Any, run: Callable[..., Any]
) -> None:
    clock, store = ManualClock(), Store(read_settings())
    permits, name = Permits(clock), tenant_key(tenant)
    caller = read_key(key_with(run, tenant, "append"))

    async def ask(role: str) -> int:
        """Ask for it; return how many requests the store got."""
        invocation = Invocation(permits)
        token = CURRENT.set(invocation)
        upstash.reset()
        try:
            invocation.begin(caller, role)
            await store.eval("key", [name], [caller.key_hash])
        finally:
            CURRENT.reset(token)
        return int(upstash.requests)

    async def refused(role: str) -> int:
        with pytest.raises(InsufficientRole) as error:
            await ask(role)
        assert error.value.extensions == {"role": "append", "required_role": role}
        return int(upstash.requests)

    assert [await refused("full"), await refused("full"), await refused("admin")] == [1, 0, 0]
    assert [await ask("read"), await ask("append"), await refused("full")] == [1, 1, 0]
    clock.now_s += KNOWN_S - 0.01
    assert await refused("full") == 0
    clock.now_s += 0.01
    assert await refused("full") == 1
    # One that was made anew with another role, which scripts/keys does only once it was revoked.
    run("HSET", name, f"k:{caller.key_hash}", "0")
    assert await refused("full") == 0
    clock.now_s += KNOWN_S
    assert await ask("full") == 1
    # Revoked: nothing is remembered of it.
    run("HSET", name, f"k:{caller.key_hash}", "0 append")
    assert await refused("full") == 1
    run("HDEL", name, f"k:{caller.key_hash}")
    with pytest.raises(Unauthorized):
        await ask("read")
    with pytest.raises(Unauthorized):
        await ask("full")
    await store.close()


def test_what_a_request_turns_out_to_be_never_takes_less() -> None:
    invocation = Invocation(Permits())
    invocation.begin(read_key(make_key("t")), "append")
    invocation.require("read")
    before = invocation.roles
    invocation.require("full")

    assert (before, invocation.roles) == (allowed("append"), allowed("full"))


def test_while_the_store_is_away_a_key_may_do_no_more_than_before(
    server: FaultyServer, behind: Callable[..., httpx.Client], api: httpx.Client, tenant: str, run: Callable[..., Any]
) -> None:
    instance = behind(rate_outage="open")
    conversation = api.post("/v1/conversations", json=MORE).json()["id"]
    path = f"/v1/conversations/{conversation}"
    with client_of(str(instance.base_url), key_with(run, tenant, "read")) as client:
        assert client.get(f"{path}/context?budget=500").status_code == 200
        assert client.delete(path).status_code == 403
        server.fault = Fault.ERROR_500
        read = client.get(f"{path}/context?budget=500", headers={"cache-control": "max-age=600"})
        refused = [
            client.delete(path).status_code,
            client.post(f"{path}/items", json=MORE).status_code,
            client.post(f"{path}/context", json={"budget": 500, "reserve": True}).status_code,
            client.post("/v1/reservations", json={"tokens": 1}).status_code,
        ]

    assert read.status_code == 200
    # From memory, where it is remembered; what has to be asked for is not there.
    assert refused[0] == 403
    assert set(refused[1:]) <= {403, 503}
    assert api.get("/v1/usage").json()["day"]["tokens"]["reserved"] == 0
    assert len(api.get(f"{path}/items").json()["data"]) == 1
