"""PUT and DELETE /v1/documents: what is stored, under which conditions, once, and by whom."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.faults.server import Fault, FaultyServer
from scripts.local.object_store import ObjectStore
from shared.documents.shelf import read_mark
from shared.items.document_paths import PATH_BYTES_MAX
from shared.store import keys

PATH = "/v1/documents/notes/a.md"
WRITERS = 8


@pytest.fixture(params=["folder", "s3"])
def instances(
    request: pytest.FixtureRequest, make_api: Callable[[], httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> list[httpx.Client]:
    """Two instances before one object store, of each kind."""
    if request.param == "s3":
        request.getfixturevalue("s3").use(monkeypatch)
    return [make_api() for _ in range(2)]


def outcomes(answers: list[httpx.Response]) -> list[int]:
    return sorted(each.status_code for each in answers)


def at_once(call: Callable[[int], httpx.Response]) -> list[httpx.Response]:
    """Return what WRITERS calls are answered, each with its number."""
    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(call, range(WRITERS)))


def test_what_is_put_is_what_every_instance_shows(instances: list[httpx.Client]) -> None:
    one, other = instances
    for text in ("# Grüße\n", "", "changed\n"):
        put = one.put(PATH, content=text.encode())
        seen = [each.get(PATH) for each in (other, one)]
        one, other = other, one

        assert put.status_code == 200, put.text
        assert [each.text for each in seen] == [text] * 2
        assert {each.headers["etag"] for each in seen} == {put.headers["etag"]}
        assert {each.headers["warmthread-tokens"] for each in seen} == {str(put.json()["tokens"])}
        assert put.json() == {
            "object": "document",
            "path": "notes/a.md",
            "etag": put.headers["etag"],
            "bytes": len(text.encode()),
            "tokens": put.json()["tokens"],
            "encoding": "o200k_base",
        }


def test_what_was_put_is_read_without_asking_the_source(
    service: httpx.Client, make_api: Callable[[], httpx.Client], front: FaultyServer
) -> None:
    assert service.put(PATH, content="text").status_code == 200
    asked = len(front.paths)
    details = [each.get(PATH).headers["cache-status"].rpartition("detail=")[2] for each in (service, make_api())]

    assert details == ["L1", "L2"]
    assert len(front.paths) == asked == 1


def test_what_was_deleted_is_a_404_at_every_instance(instances: list[httpx.Client]) -> None:
    one, other = instances
    one.put(PATH, content="text")
    assert other.get(PATH).status_code == 200
    deleted = one.delete(PATH)

    assert (deleted.status_code, deleted.json()) == (
        200,
        {"object": "document.deleted", "path": "notes/a.md", "deleted": True},
    )
    assert [each.get(PATH).status_code for each in instances] == [404] * 2
    assert [each.delete(PATH).status_code for each in instances] == [404] * 2
    assert other.put(PATH, content="again").status_code == 200
    assert [each.get(PATH).text for each in instances] == ["again"] * 2


def test_a_context_shows_the_new_text_right_after_the_answer(instances: list[httpx.Client]) -> None:
    one, other = instances
    one.put(PATH, content="old text")
    part = {"type": "input_file", "file_url": "document:notes/a.md"}
    body = {"items": [{"role": "user", "content": [part]}]}
    context = (
        f"/v1/conversations/{one.post('/v1/conversations', json=body).json()['id']}/context?format=text&budget=500"
    )
    assert ["old text" in each.get(context).text for each in instances] == [True] * 2
    other.put(PATH, content="new text")

    assert ["new text" in each.get(context).text for each in instances] == [True] * 2
    other.delete(PATH)
    assert [each.get(context).json()["documents"][0]["status"] for each in instances] == ["missing"] * 2


def test_if_match_holds_a_write_to_what_the_caller_knows(instances: list[httpx.Client]) -> None:
    one, other = instances
    first = one.put(PATH, content="first").headers["etag"]
    second = other.put(PATH, content="second", headers={"if-match": first})
    late = one.put(PATH, content="late", headers={"if-match": first})
    gone = one.delete(PATH, headers={"if-match": first})

    assert second.status_code == 200
    assert outcomes([late, gone]) == [412, 412]
    assert {each.headers["etag"] for each in (late, gone)} == {second.headers["etag"]}
    assert late.json()["error"]["code"] == "version_moved"
    assert [each.get(PATH).text for each in instances] == ["second"] * 2
    assert one.put(PATH, content="x", headers={"if-match": f'"none", W/{second.headers["etag"]}'}).status_code == 200
    assert one.put(PATH, content="y", headers={"if-match": "*"}).status_code == 200
    tag = other.get(PATH).headers["etag"]
    assert other.delete(PATH, headers={"if-match": tag}).status_code == 200
    absent = [one.put(PATH, content="z", headers={"if-match": value}) for value in ("*", tag)]
    absent.append(one.delete(PATH, headers={"if-match": "*"}))
    assert outcomes(absent) == [412] * 3
    assert one.get(PATH).status_code == 404


def test_if_none_match_makes_what_does_not_exist(instances: list[httpx.Client]) -> None:
    one, other = instances
    is_new = {"if-none-match": "*"}
    answers = [one.put(PATH, content="first", headers=is_new), other.put(PATH, content="second", headers=is_new)]

    assert [each.status_code for each in answers] == [200, 412]
    assert answers[1].json()["param"] == "If-None-Match"
    assert answers[1].headers["etag"] == answers[0].headers["etag"]
    assert one.put(PATH, content="x", headers=is_new | {"if-match": "*"}).status_code == 412
    assert [each.get(PATH).text for each in instances] == ["first"] * 2


def test_of_writers_who_know_the_same_exactly_one_wins(instances: list[httpx.Client]) -> None:
    known, turn = {"if-none-match": "*"}, 0

    def put(at: int) -> httpx.Response:
        return instances[at % 2].put(PATH, content=f"{turn}.{at}", headers=known)

    for turn in range(6):
        answers = at_once(put)
        [won] = [at for at, each in enumerate(answers) if each.status_code == 200]
        assert outcomes(answers) == [200] + [412] * (WRITERS - 1)
        seen = [each.get(PATH) for each in instances]
        assert [each.text for each in seen] == [f"{turn}.{won}"] * 2
        assert {each.headers["etag"] for each in seen} == {answers[won].headers["etag"]}
        known = {"if-match": answers[won].headers["etag"]}


def test_of_those_who_delete_the_same_one_finds_it(instances: list[httpx.Client]) -> None:
    known: dict[str, str] = {}

    def delete(at: int) -> httpx.Response:
        return instances[at % 2].delete(PATH, headers=known)

    for _ in range(4):
        known = {"if-match": instances[0].put(PATH, content="text").headers["etag"]}
        assert outcomes(at_once(delete)) == [200] + [412] * (WRITERS - 1)


def test_a_key_has_a_write_done_once(instances: list[httpx.Client]) -> None:
    one, other = instances
    first = one.put(PATH, content="first", headers={"idempotency-key": "w1"})
    other.put(PATH, content="second")
    again = other.put(PATH, content="first", headers={"idempotency-key": "w1"})
    reused = one.put(PATH, content="third", headers={"idempotency-key": "w1"})

    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert (again.json(), again.headers["etag"]) == (first.json(), first.headers["etag"])
    assert "idempotency-replayed" not in first.headers
    assert (reused.status_code, reused.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert [each.get(PATH).text for each in instances] == ["second"] * 2
    deleted = [each.delete(PATH, headers={"idempotency-key": "d1"}) for each in instances]
    assert outcomes(deleted) == [200, 200]
    assert deleted[1].headers["idempotency-replayed"] == "true"


def test_a_refused_write_leaves_no_trace_of_its_key(instances: list[httpx.Client]) -> None:
    headers = {"idempotency-key": "w1", "if-match": '"unknown"'}

    assert outcomes([each.put(PATH, content="x", headers=headers) for each in instances]) == [412, 412]
    assert instances[0].delete(PATH, headers={"idempotency-key": "d1"}).status_code == 404
    assert instances[0].put(PATH, content="x", headers={"idempotency-key": "w1"}).status_code == 200


@pytest.mark.parametrize(
    ("body", "kind", "status", "param"),
    [
        (b"\xff\xfeh\0", "text/plain", 415, "body"),
        (b"a\0b", "", 415, "body"),
        (b"%PDF-1.7 text", "text/plain", 415, "body"),
        ("grüße".encode("latin-1"), "text/plain", 415, "body"),
        (b"text", "text/plain; charset=iso-8859-1", 415, "Content-Type"),
        (b"text", "image/png", 415, "Content-Type"),
        (b"text", "application/octet-stream", 415, "Content-Type"),
        (b"text", "multipart/form-data; boundary=x", 415, "Content-Type"),
        (b"x" * 1_048_577, "text/plain", 413, None),
        ("ก".encode() * 70_000, "text/plain", 422, "body"),
    ],
)
def test_what_is_no_text_or_too_much_is_refused(
    api: httpx.Client, body: bytes, kind: str, status: int, param: str | None
) -> None:
    answer = api.put(PATH, content=body, headers={"content-type": kind} if kind else {})

    assert (answer.status_code, answer.json().get("param")) == (status, param)
    assert api.get(PATH).status_code == 404


@pytest.mark.parametrize(
    "kind", ["text/markdown; charset=UTF-8", 'text/csv; charset="utf-8"', "application/json", "application/ld+json"]
)
def test_text_of_any_type_is_taken(api: httpx.Client, kind: str) -> None:
    assert api.put(PATH, content=b"[1]", headers={"content-type": kind}).status_code == 200


def test_the_largest_document_comes_back_whole(instances: list[httpx.Client]) -> None:
    body = ("line of text, ünïcode\n" * 60_000).encode()[: 1_048_576 - 1]
    body = body.decode(errors="ignore").encode()

    assert instances[0].put(PATH, content=body).json()["bytes"] == len(body)
    assert [each.get(PATH).content for each in instances] == [body] * 2


@pytest.mark.parametrize("path", ["a//b", "%2e%2e/a", "a%00b", "a%5cb", "x" * (PATH_BYTES_MAX + 1), ""])
def test_a_path_that_cannot_be_is_refused(api: httpx.Client, path: str) -> None:
    put, deleted = api.put(f"/v1/documents/{path}", content="x"), api.delete(f"/v1/documents/{path}")

    assert (put.status_code, deleted.status_code) == (404, 404)
    assert put.json()["param"] == "path"


@pytest.mark.parametrize("headers", [{"if-none-match": '"x"'}, {"if-match": "x"}, {"idempotency-key": "ä".encode()}])
def test_headers_that_make_no_sense_are_a_400(api: httpx.Client, headers: dict[str, Any]) -> None:
    answer = api.put(PATH, content="x", headers=headers)

    assert (answer.status_code, answer.json()["param"].lower()) == (400, next(iter(headers)))
    assert api.get(PATH).status_code == 404


def test_nobody_writes_what_all_read_or_another_has(
    api: httpx.Client, other_api: httpx.Client, documents_folder: Path, tenant: str
) -> None:
    (documents_folder / "shared").mkdir(exist_ok=True)
    (documents_folder / "shared/fixed.txt").write_text("everybody's")
    calls = [api.put("/v1/documents/shared/fixed.txt", content="x"), api.delete("/v1/documents/shared/fixed.txt")]
    api.put(PATH, content="mine")
    other_api.put(f"/v1/documents/{tenant}/notes/a.md", content="x")

    assert outcomes(calls) == [404, 404]
    assert api.get("/v1/documents/shared/fixed.txt").text == "everybody's"
    assert other_api.get(PATH).status_code == other_api.delete(PATH).status_code == 404
    assert (api.get(PATH).text, (documents_folder / "shared/fixed.txt").read_text()) == ("mine", "everybody's")


def test_in_a_folder_no_document_is_called_like_a_folder(api: httpx.Client) -> None:
    api.put("/v1/documents/a/b", content="x")
    names = ("a", "a/b/c", "x#1", "y" * 300)
    answers = [api.put(f"/v1/documents/{name.replace('#', '%23')}", content="x") for name in names]

    assert [(each.status_code, each.json().get("param")) for each in answers] == [(404, "path")] * 4
    assert api.delete("/v1/documents/a/b/c").status_code == 404
    assert api.get("/v1/documents/a/b").text == "x"


def test_strangers_write_and_learn_nothing(service_url: str, api: httpx.Client, tenant: str) -> None:
    api.put(PATH, content="mine")
    stranger = {"authorization": f"Bearer wt_{tenant}_wrongsecret"}
    url = service_url + PATH
    calls = [
        httpx.put(url, content="x", headers=stranger),
        httpx.put(url, content=b"\xff", headers=stranger),
        httpx.put(url, content="x" * 100_000, headers=stranger),
        httpx.delete(url, headers=stranger),
        httpx.get(f"{service_url}/v1/documents", headers=stranger),
    ]

    assert outcomes(calls) == [401] * 5
    assert api.get(PATH).text == "mine"


def test_while_the_object_store_is_away_a_write_is_a_503_and_copies_are_still_shown(
    service: httpx.Client, front: FaultyServer
) -> None:
    service.put(PATH, content="text")
    front.leave()
    put, deleted, listed = service.put(PATH, content="new"), service.delete(PATH), service.get("/v1/documents")
    held = service.get(PATH)

    assert outcomes([put, deleted, listed]) == [503] * 3
    assert {each.json()["error"]["code"] for each in (put, deleted, listed)} == {"source_unavailable"}
    assert all(int(each.headers["retry-after"]) >= 1 for each in (put, deleted, listed))
    assert put.json()["outcome_unknown"] is True
    assert deleted.json()["outcome_unknown"] is False
    assert (held.status_code, held.text) == (200, "text")
    assert held.headers["cache-status"].endswith("detail=STALE")
    front.come_back()


def test_an_object_store_that_lets_nobody_write_is_no_outage(
    service: httpx.Client, front: FaultyServer, s3: ObjectStore, tenant: str
) -> None:
    s3.put(f"{tenant}/b.txt", "text")
    front.fault = Fault.REFUSE_403
    answers = [service.put(PATH, content="new") for _ in range(8)]
    front.fault = Fault.NONE

    assert outcomes(answers) == [503] * 8
    assert {each.json()["outcome_unknown"] for each in answers} == {False}
    assert service.get("/v1/documents/b.txt").text == "text"
    assert service.get(PATH).status_code == 404


def test_a_write_whose_answer_was_lost_is_seen_when_its_lease_has_run_out(
    front: FaultyServer, make_api: Callable[[], httpx.Client], monkeypatch: pytest.MonkeyPatch, run: Any, tenant: str
) -> None:
    monkeypatch.setenv("WARMTHREAD_DOCUMENT_TIMEOUT_S", "1")
    monkeypatch.setenv("WARMTHREAD_DOCUMENT_LEASE_S", "1")
    one, other = make_api(), make_api()
    one.put(PATH, content="old")
    assert other.get(PATH).text == "old"
    front.faults.append(Fault.CLOSE)
    lost = one.put(PATH, content="new")
    meanwhile = other.get(PATH)
    while run("EXISTS", keys.document_lease_key(tenant, "notes/a.md")):
        pass

    assert (lost.status_code, lost.json()["outcome_unknown"]) == (503, True)
    assert (meanwhile.text, meanwhile.headers["cache-status"]) == ("old", "Warmthread; hit; detail=STALE")
    assert [each.get(PATH).text for each in (other, one)] == ["new"] * 2


def test_when_the_store_takes_no_more_marks_nothing_old_is_shown(
    make_api: Callable[[], httpx.Client], monkeypatch: pytest.MonkeyPatch, run: Any, tenant: str
) -> None:
    monkeypatch.setenv("WARMTHREAD_DOCUMENTS_MAX", "1")
    instances = [make_api(), make_api()]
    for name in ("a", "b"):
        for text in ("first", "second"):
            instances[0].put(f"/v1/documents/{name}", content=text)
            assert [each.get(f"/v1/documents/{name}").text for each in instances] == [text] * 2
    assert run("HKEYS", keys.document_marks_key(tenant)) == ["a"]
    mark = read_mark(run("HGET", keys.document_marks_key(tenant), "a"))
    assert mark is not None
    assert mark.etag
