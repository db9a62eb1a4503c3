"""What schedules and S3 ask of the function: it is done as by its routes, or refused with nothing done."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aws.shapes import EventError, kind_of
from aws.work import asks_of
from scripts.aws.events import s3_event, s3_notification
from scripts.local.object_store import BUCKET, ObjectStore
from scripts.local.upstash import LocalUpstash
from shared.environment import read_settings
from shared.store import keys
from tests.aws_functions import Function, running_function
from tests.examples import examples


@pytest.fixture
def function(upstash: Any, s3: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Function]:
    """An instance whose documents come from S3."""
    s3.use(monkeypatch)
    with running_function() as function:
        yield function


def read(function: Function, key: str, name: str) -> str:
    answered = function.ask("GET", f"/v1/documents/{name}", key)
    assert answered.status == 200, answered.body
    return answered.body.decode()


@pytest.mark.parametrize("make", [s3_notification, s3_event])
@pytest.mark.parametrize("name", ["a.txt", "a folder/b+c ä.txt", "100%25.txt"])
def test_a_change_in_the_bucket_is_seen_by_the_next_request(
    make: Callable[[str, str], dict[str, Any]], name: str, function: Function, key: str, tenant: str, s3: ObjectStore
) -> None:
    s3.put(f"{tenant}/{name}", "before")
    path = quote(name)
    assert read(function, key, path) == "before"
    s3.put(f"{tenant}/{name}", "after")
    assert read(function, key, path) == "before"  # Nobody was told.

    [done] = function.invoke(make(BUCKET, f"{tenant}/{name}"))["done"]

    assert (done["reported"], done["kept"]) == (1, 1)
    assert read(function, key, path) == "after"


def test_an_object_that_was_removed_is_missing_for_the_next_request(
    function: Function, key: str, tenant: str, s3: ObjectStore
) -> None:
    s3.put(f"{tenant}/gone.txt", "before")
    read(function, key, "gone.txt")
    s3.delete(f"{tenant}/gone.txt")

    function.invoke(s3_notification(BUCKET, f"{tenant}/gone.txt", "ObjectRemoved:Delete"))

    assert function.ask("GET", "/v1/documents/gone.txt", key).status == 404


@pytest.mark.parametrize(
    "event",
    [
        s3_notification("another", "acme/a.txt"),
        s3_notification(BUCKET, "acme/a.txt", "ObjectTagging:Put"),
        s3_event(BUCKET, "acme/a.txt", "Object Access Tier Changed"),
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET},
        {"Records": []},
    ],
)
def test_what_changes_no_document_is_taken_and_changes_nothing(function: Function, event: object) -> None:
    assert all(done["reported"] == 0 for done in function.invoke(event)["done"])


@pytest.mark.parametrize(("cron", "objects"), [("sweep", ["sweep"]), ("warm", ["warm", "warm"])])
def test_a_schedule_has_its_cron_run(
    cron: str,
    objects: list[str],
    function: Function,
    key: str,
    tenant: str,
    s3: ObjectStore,
    fresh_crons: None,
    run: Any,
) -> None:
    s3.put(f"{tenant}/hot.txt", "hot")
    run("ZADD", keys.HOT_KEY, 1, f"{tenant}/hot.txt")
    done = function.invoke({"cron": cron})["done"]

    assert [each["object"] for each in done] == objects
    if cron == "warm":  # The first loads it into the store, the second into this very instance.
        assert [(each["outcome"], each["documents"]) for each in done] == [("done", 1)] * 2


@pytest.mark.parametrize(
    ("event", "named"),
    [
        ({"cron": "other"}, "cron"),
        ({"cron": ["sweep"]}, "cron"),
        ({"cron": "sweep", "path": "/v1/usage"}, "cron"),
        ({"Records": {}}, "Records"),
        ({"Records": [{}] * 101}, "Records"),
        ({"Records": [{"eventSource": "aws:sqs"}]}, r"Records\[0\]"),
        ({"Records": [{"eventSource": "aws:s3", "eventName": 1}]}, "eventName"),
        ({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}]}, "s3.bucket.name"),
        (s3_event(BUCKET, "x") | {"detail": None}, "detail"),
        (s3_event(BUCKET, "x") | {"detail-type": None}, "detail-type"),
    ],
)
def test_an_event_that_asks_for_something_else_is_refused_by_name(
    function: Function, upstash: LocalUpstash, event: object, named: str
) -> None:
    upstash.reset()

    with pytest.raises(EventError, match=named):
        function.invoke(event)
    assert upstash.requests == 0


def test_a_notification_of_which_one_record_is_wrong_reports_none_of_them(
    function: Function, key: str, tenant: str, s3: ObjectStore
) -> None:
    s3.put(f"{tenant}/half.txt", "before")
    read(function, key, "half.txt")
    s3.put(f"{tenant}/half.txt", "after")
    event = s3_notification(BUCKET, f"{tenant}/half.txt")
    event["Records"].append({"eventSource": "aws:s3"})

    with pytest.raises(EventError, match=r"Records\[1\]"):
        function.invoke(event)
    assert read(function, key, "half.txt") == "before"


@pytest.mark.parametrize(
    ("variable", "event"),
    [("CRON_SECRET", {"cron": "sweep"}), ("WARMTHREAD_CHANGES_SECRET", s3_notification(BUCKET, "acme/a.txt"))],
)
def test_a_route_whose_secret_is_not_set_stays_closed(
    variable: str, event: object, upstash: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(variable)
    with running_function() as function, pytest.raises(EventError, match=variable):
        function.invoke(event)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(TEXT, TEXT)
@settings(max_examples=examples(120))
def test_a_notification_says_what_an_event_of_the_same_change_says(bucket: str, key: str) -> None:
    secrets = read_settings(
        {"UPSTASH_REDIS_REST_URL": "https://example.com", "UPSTASH_REDIS_REST_TOKEN": "t"}, only="none"
    )
    bodies = [
        [json.loads(ask.body) for ask in asks_of(kind_of(event), event, secrets)]
        for event in (s3_notification(bucket, key), s3_event(bucket, key))
    ]

    [told], [full] = bodies
    assert told["detail-type"] == full["detail-type"]
    assert told["detail"] == {
        name: {part: full["detail"][name][part]} for name, part in (("bucket", "name"), ("object", "key"))
    }
