"""Erasing a user: what goes, what stays, what is refused meanwhile; each call goes on where the last one ended."""

from collections.abc import Callable
from hashlib import sha1
from typing import Any

import httpx
import orjson
import pytest

from scripts.local.receipt import main as check_receipt
from shared.erasing import erasure
from shared.erasing.receipts import Receipt, Verdict, signed, subject_sha256, verify
from shared.request.roles import ADMIN
from shared.store import keys
from tests.erasing import create, erase, erase_once
from tests.exports import begun, pages_of, renamed, restore, send

ANNA, BEN = "anna/é@example.com", "ben"
SECRET = "receipts-are-signed-with-this"
ITEMS = {"items": [{"role": "user", "content": "more"}]}


@pytest.fixture
def role() -> str:
    return ADMIN


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instances answer from memory for 5 s; what waits for that has tests of its own."""
    monkeypatch.setattr(erasure, "HELD_S", 0.1)
    monkeypatch.setattr(erasure, "DOCUMENTS_HELD_S", 0.2)


@pytest.fixture
def names(run: Callable[..., Any], tenant: str) -> Callable[[], set[str]]:
    """Return the names that the store has of the test's tenant."""
    return lambda: set(run("KEYS", f"{keys.SCHEMA}:{{{tenant}}}:*"))


def test_a_user_is_erased_and_another_stays(api: httpx.Client, names: Callable[[], set[str]], tenant: str) -> None:
    kept = create(api, BEN, agent="bot", metadata={"k": "v"})
    before = api.get(f"/v1/conversations/{kept}").json(), api.get(f"/v1/conversations/{kept}/items").json()
    left = names()
    mine = [create(api, ANNA, agent="bot", metadata={"k": "v"}), create(api, ANNA, id="conv_mine")]
    mine.append(api.post(f"/v1/conversations/{mine[0]}/fork").json()["id"])

    told = erase(api, ANNA)

    assert (told["conversations"], told["items"]) == (3, 3)
    assert told["bytes"] > 0
    assert {api.get(f"/v1/conversations/{each}").status_code for each in mine} == {404}
    assert api.get("/v1/conversations", params={"user": ANNA}).json()["data"] == []
    assert [each["id"] for each in api.get("/v1/conversations").json()["data"]] == [kept]
    assert (api.get(f"/v1/conversations/{kept}").json(), api.get(f"/v1/conversations/{kept}/items").json()) == before
    assert names() - left == {keys.erased_key(tenant, keys.digest(ANNA))}
    assert left - names() == set()


@pytest.mark.parametrize("is_taken", [False, True])
def test_imports_that_are_not_finished_are_erased(
    api: httpx.Client, names: Callable[[], set[str]], tenant: str, is_taken: bool
) -> None:
    [page] = pages_of(api, create(api, ANNA, "a word nobody else says"))
    erase(api, ANNA)
    left = names()
    assert send(api, begun(page, "conv_begun")).json()["status"] == "partial"
    assert names() - left == {keys.import_key(tenant, "conv_begun"), keys.importing_key(tenant, ANNA)}
    if is_taken:
        create(api, BEN, id="conv_begun")
        left = names()
    told = erase(api, ANNA)

    assert (told["conversations"], told["receipt"]["keys"]) == (0, 1)
    assert names() - left == set()
    assert api.get("/v1/conversations/conv_begun").status_code == (200 if is_taken else 404)
    assert send(api, begun(page, "conv_begun")).status_code == (409 if is_taken else 200)
    if not is_taken:
        restore(api, [renamed(page, "conv_begun")])
        assert keys.importing_key(tenant, ANNA) not in names()


def test_the_receipt_says_what_when_and_by_whom(
    api: httpx.Client, tenant: str, run: Callable[..., Any], make_api: Callable[[], httpx.Client], monkeypatch: Any
) -> None:
    monkeypatch.setenv("WARMTHREAD_RECEIPT_SECRET", SECRET)
    signing = make_api()
    create(api, ANNA)
    before = int(run("TIME")[0])
    told = erase(signing, ANNA)
    receipt = told["receipt"]

    assert verify(receipt, SECRET) is Verdict.GENUINE
    assert before <= receipt["begun_at"] <= receipt["ended_at"] <= int(run("TIME")[0])
    assert (receipt["conversations"], receipt["items"], receipt["bytes"]) == (1, 1, told["bytes"])
    assert (receipt["erased"], receipt["tenant"], receipt["subject_sha256"]) == ("user", tenant, subject_sha256(ANNA))
    assert (receipt["deployment"], receipt["keys"] > 0) == ("local", True)
    assert ANNA not in str(told)
    # Who lost the answer gets it again, for a day, from whichever instance; unsigned where there is no secret.
    assert erase_once(signing, ANNA)["receipt"] == receipt
    assert erase_once(api, ANNA)["receipt"]["id"] == receipt["id"]
    assert erase_once(api, ANNA)["receipt"]["signature"] is None
    assert 86_000 < run("TTL", keys.erased_key(tenant, keys.digest(ANNA))) <= 86_400


def test_nobody_is_erased_at_once(api: httpx.Client, names: Callable[[], set[str]]) -> None:
    left = names()
    told = erase_once(api, "nobody")

    assert told["done"]
    assert told["receipt"]["conversations"] == told["receipt"]["keys"] == 0
    assert names() == left


@pytest.mark.parametrize("user", ["x" * 129, "a%7Fb", ""])
def test_a_wrong_user_is_refused(api: httpx.Client, user: str) -> None:
    answer = api.delete(f"/v1/users/{user}")

    assert (answer.status_code, answer.json()["param"]) == (400, "user")


WRITES: dict[str, Callable[[httpx.Client, str], httpx.Response]] = {
    "create": lambda api, _: api.post("/v1/conversations", json={**ITEMS, "user": ANNA}),
    "append": lambda api, id_: api.post(f"/v1/conversations/{id_}/items", json=ITEMS),
    "append with a context": lambda api, id_: api.post(
        f"/v1/conversations/{id_}/items", json={**ITEMS, "context": {"budget": 500}}
    ),
    "update": lambda api, id_: api.post(f"/v1/conversations/{id_}", json={"metadata": {"a": "b"}}),
    "give to another": lambda api, id_: api.post(f"/v1/conversations/{id_}", json={"user": BEN}),
    "fork": lambda api, id_: api.post(f"/v1/conversations/{id_}/fork"),
    "summarise": lambda api, id_: api.post(
        f"/v1/conversations/{id_}/summary", json={"through": "msg_1", "text": "so far"}
    ),
    "delete the summary": lambda api, id_: api.delete(f"/v1/conversations/{id_}/summary"),
    "delete an item": lambda api, id_: api.delete(f"/v1/conversations/{id_}/items/msg_1"),
    "delete": lambda api, id_: api.delete(f"/v1/conversations/{id_}"),
    "compact": lambda api, id_: api.post(f"/v1/conversations/{id_}/compact"),
}
READS = ("", "/items", "/items/msg_1", "/context?budget=500", "/summary", "/export")


@pytest.fixture
def fenced(api: httpx.Client, run: Callable[..., Any], tenant: str) -> str:
    """A conversation of a user whose erasure has begun, and came no further; its id."""
    conversation = create(api, ANNA, items=[{"role": "user", "content": "secret", "id": "msg_1"}])
    begun = ("erasing", f"{sha1(ANNA.encode()).hexdigest()} {keys.digest(ANNA)};", "erasures", "1")
    run("HSET", keys.tenant_key(tenant), *begun)
    return conversation


@pytest.mark.parametrize("name", WRITES)
def test_nothing_is_written_for_who_is_being_erased(
    api: httpx.Client, fenced: str, stored: Callable[[str], str], name: str
) -> None:
    before = stored(fenced)
    answer = WRITES[name](api, fenced)

    assert answer.status_code == 409, answer.text
    assert answer.json()["type"].endswith("being-erased")
    assert answer.headers["x-should-retry"] == "false"
    assert "secret" not in answer.text
    assert stored(fenced) == before


def test_no_conversation_becomes_theirs(api: httpx.Client, fenced: str) -> None:
    other = create(api, BEN)

    assert api.post(f"/v1/conversations/{other}", json={"user": ANNA}).status_code == 409
    assert api.get(f"/v1/conversations/{other}").json()["user"] == BEN
    assert api.post(f"/v1/conversations/{other}/items", json=ITEMS).status_code == 200


@pytest.mark.parametrize("path", READS)
def test_nobody_sees_who_is_being_erased(api: httpx.Client, fenced: str, path: str) -> None:
    for headers in ({}, {"cache-control": "max-age=60"}, {"cache-control": "no-cache"}):
        answer = api.get(f"/v1/conversations/{fenced}{path}", headers=headers)

        assert (answer.status_code, "secret" in answer.text) == (404, False)
    for query in ({}, {"user": ANNA}):
        assert api.get("/v1/conversations", params=query).json()["data"] == []


def test_a_call_does_as_much_as_it_may_and_the_next_goes_on_from_another_instance(
    api: httpx.Client, make_api: Callable[[], httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "TOGETHER", 2)
    monkeypatch.setattr(erasure, "CONVERSATIONS_MAX", 4)
    monkeypatch.setattr(erasure, "HELD_S", 600)
    for _ in range(9):
        create(api, ANNA)
    other = make_api()

    counts = [erase_once((api, other)[call % 2], ANNA)["conversations"] for call in range(3)]
    assert counts == [4, 8, 9]
    assert api.post("/v1/conversations", json={"user": ANNA}).status_code == 409
    monkeypatch.setattr(erasure, "HELD_S", 0.1)
    assert erase(other, ANNA)["conversations"] == 9
    assert api.post("/v1/conversations", json={"user": ANNA}).status_code == 200


def test_so_many_are_erased_at_once_and_no_more(
    api: httpx.Client, run: Callable[..., Any], tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "USERS_MAX", 2)
    monkeypatch.setattr(erasure, "HELD_S", 60)
    for user in ("a", "b", "c"):
        create(api, user)
    assert [erase_once(api, user)["done"] for user in ("a", "b", "a")] == [False] * 3
    answer = api.delete("/v1/users/c")

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "too_many_erasures")
    assert api.post("/v1/conversations", json={"user": "c"}).status_code == 200
    assert run("HGET", keys.tenant_key(tenant), "erasing").count(";") == 2


def test_what_a_user_was_once_is_another_s(api: httpx.Client) -> None:
    given = create(api, ANNA)
    assert api.post(f"/v1/conversations/{given}", json={"user": BEN}).status_code == 200
    told = erase(api, ANNA)

    assert told["conversations"] == 0
    assert api.get(f"/v1/conversations/{given}").json()["user"] == BEN


def test_what_was_counted_is_not_counted_again(api: httpx.Client, run: Callable[..., Any], tenant: str) -> None:
    """A script that is ended half-way has noted its count, and not taken away what it counted."""
    conversation = create(api, ANNA)
    mark = sha1(ANNA.encode()).hexdigest()
    line = f"{'a' * 32} {run('TIME')[0]}000 1 1 500 1 {conversation},"
    begun = ("erasing", f"{mark} {keys.digest(ANNA)};", "erasures", "1", f"erasure:{mark}", line)
    run("HSET", keys.tenant_key(tenant), *begun)
    told = erase(api, ANNA)

    assert (told["conversations"], told["items"], told["bytes"]) == (1, 1, 500)
    assert api.get(f"/v1/conversations/{conversation}").status_code == 404
    assert run("HMGET", keys.tenant_key(tenant), "erasing", f"erasure:{mark}") == [None, None]


def test_the_tenant_s_bytes_become_less(api: httpx.Client, run: Callable[..., Any], tenant: str) -> None:
    for _ in range(3):
        create(api, ANNA, "x" * 100_000)
    assert int(run("HGET", keys.tenant_key(tenant), "bytes")) > 250_000
    erase(api, ANNA)

    assert int(run("HGET", keys.tenant_key(tenant), "bytes")) == 0


def test_a_receipt_is_checked_by_a_script(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    receipt = Receipt("erasure_1", "user", "acme", subject_sha256(ANNA), 2, 9, 700, 4, 1, 2, "dpl_1", "1.0.0")
    right, path = signed(receipt, SECRET), tmp_path / "receipt.json"
    monkeypatch.setenv("WARMTHREAD_RECEIPT_SECRET", SECRET)
    documents: dict[Verdict, list[Any]] = {
        Verdict.GENUINE: [right, {"object": "user.erasure", "receipt": right}],
        Verdict.CHANGED: [
            *({**right, name: value} for name, value in (("conversations", 3), ("note", ""), ("items", 9.5))),
            {name: value for name, value in right.items() if name != "bytes"},
            {**right, "signature": {**right["signature"], "value": 0}},
            {**right, "signature": []},
        ],
        Verdict.ANOTHER: [signed(receipt, "another secret of those days")],
        Verdict.UNSIGNED: [signed(receipt, "")],
        Verdict.NO_RECEIPT: [{}, [], {"object": "erasure.receipt"}],
    }
    for verdict, each in [(verdict, each) for verdict, some in documents.items() for each in some]:
        path.write_bytes(orjson.dumps(each))
        assert check_receipt([str(path)]) == (0 if verdict is Verdict.GENUINE else 1)
        assert capsys.readouterr().out.strip() == verdict.value
    path.write_text("no JSON")
    assert check_receipt([str(path)]) == 1
    assert check_receipt([str(tmp_path / "none")]) == 2
    monkeypatch.delenv("WARMTHREAD_RECEIPT_SECRET")
    assert check_receipt([str(path)]) == 2
    monkeypatch.setenv("THE_OLD_ONE", SECRET)
    path.write_bytes(orjson.dumps(right))
    assert check_receipt([str(path), "--variable", "THE_OLD_ONE"]) == 0


def test_it_costs_what_its_route_says(
    api: httpx.Client, billed_commands: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "HELD_S", 0.0)
    erase_once(api, "nobody")
    before = billed_commands()
    erase_once(api, "nobody")
    of_nobody = billed_commands() - before
    costs = []
    for count in (1, 3):
        for _ in range(count):
            create(api, ANNA)
        before = billed_commands()
        assert erase_once(api, ANNA)["done"]
        costs.append(billed_commands() - before)

    assert (of_nobody, costs) == (8, [34 + 4, 34 + 3 * 4])
