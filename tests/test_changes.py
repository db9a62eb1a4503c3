"""POST /v1/changes: whose notices are taken, which shapes, and what each of them outdates."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from scripts.local.object_store import BUCKET, ObjectStore
from tests.bearers import CHANGES_SECRET, NOTICE

S3_CREATED = {"source": "aws.s3", "detail-type": "Object Created"}


@pytest.fixture
def instances(
    s3: ObjectStore, make_api: Callable[[], httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> list[httpx.Client]:
    s3.use(monkeypatch)
    return [make_api() for _ in range(2)]


def texts(instances: list[httpx.Client]) -> set[str]:
    return {client.get("/v1/documents/a.txt").text for client in instances}


def s3_event(path: str, **changes: Any) -> dict[str, Any]:
    """An event with all the members that the S3 User Guide names for a new object."""
    return {
        "version": "0",
        "id": "5f1c2a90-7d3e-4b18-9c41-0a6de1f3b752",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "210987654321",
        "time": "2026-11-20T08:15:30Z",
        "region": "eu-central-1",
        "resources": [f"arn:aws:s3:::{BUCKET}"],
        "detail": {
            "version": "0",
            "event-version": "1.0",
            "bucket": {"name": BUCKET},
            "object": {
                "key": path,
                "size": 3,
                "etag": "22af645d1859cb5ca6da0c484f1f37ea",
                "version-id": "Qm7Xv0.T3sWl2LrB9dKfHn5eYc8UoJzA",
                "sequencer": "0066F3A1C2B4D5E6F7",
            },
            "request-id": "7K2M9QW4ZT6B1XCD",
            "requester": "210987654321",
            "source-ip-address": "192.0.2.17",
            "reason": "PutObject",
        },
        **changes,
    }


def gone(path: str, **members: Any) -> dict[str, Any]:
    """An event of an object that is no more, which has neither size nor always a tag."""
    detail = {"version": "0", "bucket": {"name": BUCKET}, "object": {"key": path, "sequencer": "0066F3A1C2B4D5E700"}}
    return s3_event(path, **{"detail-type": "Object Deleted", "detail": {**detail, "requester": "s3", **members}})


EVENTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "created": s3_event,
    "deleted": lambda path: gone(path, reason="DeleteObject", **{"deletion-type": "Permanently Deleted"}),
    "expired": lambda path: gone(path, reason="Lifecycle Expiration", **{"deletion-type": "Delete Marker Created"}),
    "restored": lambda path: s3_event(path, **{"detail-type": "Object Restore Completed"}),
    "replayed": lambda path: s3_event(path, **{"replay-name": "again"}),
}


@pytest.mark.parametrize("shape", ["ours", "s3"])
def test_after_a_notice_no_instance_has_the_old_text(
    instances: list[httpx.Client], s3: ObjectStore, tenant: str, shape: str
) -> None:
    path = f"{tenant}/a.txt"
    s3.put(path, "old")
    assert texts(instances) == {"old"}
    s3.put(path, "new")
    assert texts(instances) == {"old"}
    body = {"changes": [{"path": path}, {"path": path}]} if shape == "ours" else s3_event(path)
    answer = instances[0].post("/v1/changes", json=body, headers=NOTICE)

    assert (answer.status_code, answer.json()) == (200, {"object": "changes", "reported": 1, "kept": 1})
    assert texts(instances) == {"new"}
    s3.delete(path)
    instances[0].post("/v1/changes", json=s3_event(path, **{"detail-type": "Object Deleted"}), headers=NOTICE)
    assert {client.get("/v1/documents/a.txt").status_code for client in instances} == {404}
    s3.put(path, "again")
    instances[0].post("/v1/changes", json=body, headers=NOTICE)
    assert texts(instances) == {"again"}


def test_a_notice_of_what_nobody_holds_keeps_nothing(
    instances: list[httpx.Client], tenant: str, run: Callable[..., Any]
) -> None:
    answer = instances[0].post("/v1/changes", json={"changes": [{"path": f"{tenant}/never.txt"}]}, headers=NOTICE)

    assert answer.json()["kept"] == 0
    assert run("KEYS", f"*{tenant}:doc*") == []


@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_names_its_object_as_it_is_in_the_bucket(
    instances: list[httpx.Client], s3: ObjectStore, tenant: str, kind: str
) -> None:
    for name in ("a.txt", "notes/Screen shot 1.txt", "a+b%20c%2Fd.txt", "Grüße/日本.md"):
        url = f"/v1/documents/{quote(name)}"
        s3.put(f"{tenant}/{name}", "old")
        assert instances[1].get(url).text == "old"
        s3.put(f"{tenant}/{name}", "new")
        answer = instances[0].post("/v1/changes", json=EVENTS[kind](f"{tenant}/{name}"), headers=NOTICE)

        assert answer.json() == {"object": "changes", "reported": 1, "kept": 1}
        assert instances[1].get(url).text == "new"


@pytest.mark.parametrize(
    "event",
    [
        {"detail-type": "Object Tags Added"},
        {"detail-type": "Object Storage Class Changed"},
        {"detail-type": "Async Copy Completion", "detail": {}},
        {"detail-type": "AWS API Call via CloudTrail", "detail": {"eventSource": "s3.amazonaws.com"}},
        {"detail": {"bucket": {"name": BUCKET}, "object": {"key": "acme/folder/"}}},
        {"detail": {"bucket": {"name": "another"}, "object": {"key": "acme/a.txt"}}},
        {"detail": {"bucket": {"name": BUCKET}, "object": {"key": "acme//a.txt"}}},
        {"detail": {"bucket": {"name": BUCKET}, "object": {"key": "x" * 1_000}}},
    ],
)
def test_events_that_concern_no_document_are_taken_and_do_nothing(
    instances: list[httpx.Client], event: dict[str, Any]
) -> None:
    answer = instances[0].post("/v1/changes", json=s3_event("acme/a.txt", **event), headers=NOTICE)

    assert (answer.status_code, answer.json()["reported"]) == (200, 0)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "changes"),
        ({"changes": {}}, "changes"),
        ({"changes": [], "more": 1}, "more"),
        ({"changes": ["acme/a.txt"]}, "changes[0].path"),
        ({"changes": [{"path": 1}]}, "changes[0].path"),
        ({"changes": [{"path": "a.txt"}]}, "changes[0].path"),
        ({"changes": [{"path": "acme/../a.txt"}]}, "changes[0].path"),
        ({"source": "aws.s3"}, "detail-type"),
        (S3_CREATED, "detail"),
        (S3_CREATED | {"detail": {"bucket": {"name": 1}}}, "detail.bucket.name"),
        (S3_CREATED | {"detail": {"bucket": {"name": "b"}, "object": "k"}}, "detail.object.key"),
    ],
)
def test_what_is_no_notice_is_a_400_that_names_the_field(service_url: str, body: Any, param: str) -> None:
    answer = httpx.post(f"{service_url}/v1/changes", json=body, headers=NOTICE)

    assert (answer.status_code, answer.json()["param"]) == (400, param)


def test_a_notice_has_a_limit(service_url: str) -> None:
    body = {"changes": [{"path": f"acme/{number}"} for number in range(1_001)]}

    assert httpx.post(f"{service_url}/v1/changes", json=body, headers=NOTICE).status_code == 413


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", f"Basic {CHANGES_SECRET}", "Bearer \xe9"])
def test_without_the_secret_nothing_is_taken(service_url: str, header: str | None, key: str) -> None:
    headers = httpx.Headers() if header is None else httpx.Headers({"authorization": header}, encoding="latin-1")
    answer = httpx.post(f"{service_url}/v1/changes", json={"changes": []}, headers=headers)

    assert answer.status_code == 401
    assert (
        httpx.post(
            f"{service_url}/v1/changes", json={"changes": []}, headers={"authorization": f"Bearer {key}"}
        ).status_code
        == 401
    )


def test_while_no_secret_is_set_the_door_is_closed(
    make_service: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WARMTHREAD_CHANGES_SECRET")
    url = make_service()

    for header in ("Bearer", f"Bearer {CHANGES_SECRET}"):
        answer = httpx.post(f"{url}/v1/changes", json={"changes": []}, headers={"authorization": header})
        assert answer.status_code == 401
