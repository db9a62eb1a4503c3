"""scripts/keys and roles: made with one, shown with it, rotated with it, and never changed."""

import json
from typing import Any

import pytest

from scripts.local.key_fields import UNREADABLE, KeyField, count_roles
from shared.request.caller import make_key, read_key
from shared.request.roles import ROLES
from shared.store.keys import tenant_key
from tests.instances import client_of
from tests.keys_script import run_keys as keys
from tests.role_requests import MORE

pytestmark = [pytest.mark.unmeasured, pytest.mark.usefixtures("upstash")]


def described(tenant: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(keys("list", tenant, "--json"))
    return told


def test_a_key_is_made_with_a_role_and_listed_with_it(service_url: str, tenant: str, run: Any, key: str) -> None:
    made = {role: keys("create", tenant, "--role", role, "--label", f"{role}er") for role in ROLES}
    hashes = {role: read_key(each).key_hash for role, each in made.items()}
    default = read_key(keys("create", tenant)).key_hash
    lines = keys("list", tenant).splitlines()
    [line] = [line for line in keys("tenants").splitlines() if line.startswith(f"{tenant} ")]
    [told] = [each for each in map(json.loads, keys("tenants", "--json").splitlines()) if each["tenant"] == tenant]

    assert described(tenant)["roles"] == {
        read_key(key).key_hash: "full",
        default: "full",
        **{hashes[role]: role for role in ROLES},
    }
    for role, digest in hashes.items():
        assert f"{digest}  {role}  {role}er" in lines
        # As older releases write it, where it says the same.
        assert run("HGET", tenant_key(tenant), f"k:{digest}") == ("0" if role == "full" else f"0 {role}")
    assert f"{default}  full" in lines
    assert line.startswith(f"{tenant}  keys 6 (1 read, 1 append, 3 full, 1 admin)  conversations 0")
    assert (told["keys"], told["roles"]) == (6, {"read": 1, "append": 1, "full": 3, "admin": 1})
    with client_of(service_url, made["append"]) as client:
        path = f"/v1/conversations/{client.post('/v1/conversations', json=MORE).json()['id']}"
        assert client.delete(path).status_code == 403


def test_a_role_that_there_is_not_makes_no_key(tenant: str, run: Any) -> None:
    before = run("HGETALL", tenant_key(tenant))

    assert "invalid choice: 'owner'" in keys("create", tenant, "--role", "owner", status=2)
    assert run("HGETALL", tenant_key(tenant)) == before


def test_the_key_that_takes_the_place_of_another_has_its_role(service_url: str, tenant: str, run: Any) -> None:
    for role in ROLES:
        old = keys("create", tenant, "--role", role, "--label", "a")
        new = keys("rotate", old, "--overlap", "300")
        shown = described(tenant)
        ends_at = shown["ends_at"][read_key(old).key_hash]

        assert {shown["roles"][read_key(each).key_hash] for each in (old, new)} == {role}
        assert run("HGET", tenant_key(tenant), f"k:{read_key(old).key_hash}") == (
            str(ends_at) if role == "full" else f"{ends_at} {role}"
        )
        for each in (old, new):
            with client_of(service_url, each) as client:
                assert client.get("/v1/usage").status_code == 200
                assert client.post("/v1/conversations", json=MORE).status_code == (403 if role == "read" else 200)
        keys("rotate", old, "--overlap", "0")
        with client_of(service_url, old) as client:
            assert client.post("/v1/reservations", json={"tokens": 1}).status_code == 401


def test_the_role_of_a_key_never_changes(tenant: str, run: Any) -> None:
    key = make_key(tenant)
    field = f"k:{read_key(key).key_hash}"
    keys("create", tenant, "--key", key, "--role", "read", "--label", "a")
    said = keys("create", tenant, "--key", key, "--role", "admin", "--label", "b", status=2)
    unsaid = keys("create", tenant, "--key", key, "--label", "b", status=2)

    assert said == unsaid == "the role of a key never changes: this one is there, with the role read"
    assert run("HGET", tenant_key(tenant), field) == "0 read"
    assert described(tenant)["labels"] == {read_key(key).key_hash: "a"}
    # The same again says the same; and once it is gone, it is another key.
    keys("create", tenant, "--key", key, "--role", "read", "--label", "c")
    assert described(tenant)["labels"] == {read_key(key).key_hash: "c"}
    keys("revoke", key)
    keys("create", tenant, "--key", key, "--role", "append")
    assert run("HGET", tenant_key(tenant), field) == "0 append"


def test_what_another_release_made_is_listed_all_the_same(tenant: str, run: Any, key: str) -> None:
    forms = {"0 auditor": "auditor", "7 auditor": "auditor", "0 full more": UNREADABLE, "x": UNREADABLE}
    hashes = {form: read_key(make_key(tenant)).key_hash for form in forms}
    for form, digest in hashes.items():
        run("HSET", tenant_key(tenant), f"k:{digest}", form)
    shown = described(tenant)

    assert {form: shown["roles"][digest] for form, digest in hashes.items()} == forms
    assert shown["ends_at"] == {hashes["7 auditor"]: 7}
    assert "keys 5 (1 full, 2 auditor, 2 unreadable)" in keys("tenants")
    assert keys("rotate", hashes["0 auditor"], "--tenant", tenant) != ""
    assert sorted(described(tenant)["roles"].values()).count("auditor") == 3


@pytest.mark.parametrize("ends_at", [0, 1, 1_800_000_000])
@pytest.mark.parametrize("role", ROLES)
def test_a_field_is_read_as_it_was_written(role: str, ends_at: int) -> None:
    field = KeyField(ends_at, role)

    assert KeyField.read(str(field)) == field
    assert count_roles([str(field), "0"]) == ({role: 1, "full": 1} if role != "full" else {"full": 2})
