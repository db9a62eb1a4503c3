"""What every object store does: whole and conditional loads, slices of one version, listings in order, errors."""

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from scripts.local.object_store import BUCKET, ObjectStore
from shared.documents.source import SLICE_BYTES, Listed, Loaded, Missing, NotModified, ObjectMoved, Source, SourceDown
from shared.store.breaker import FAILURES_MAX
from tests.contract import objects
from tests.contract.objects import ObjectRig, make_source

Put = Callable[[str, bytes], Awaitable[None]]
TIMEOUT_S, MARGIN_S = 0.3, 0.5


@pytest.fixture
def source(object_rig: ObjectRig) -> Source:
    return object_rig.open(document_bytes_max=400_000)


@pytest.fixture
def put(source: Source) -> Put:
    return lambda path, body: objects.put(source, path, body)


async def loaded(source: Source, path: str) -> Loaded:
    answer = await source.load(path, "")
    assert isinstance(answer, Loaded)
    return answer


async def test_what_was_put_is_loaded(source: Source, put: Put) -> None:
    await put("acme/a b+ü.txt", "grüße".encode())
    answer = await loaded(source, "acme/a b+ü.txt")

    assert (answer.body, answer.size_bytes) == ("grüße".encode(), 7)
    assert answer.etag


async def test_an_empty_object_is_one(source: Source, put: Put) -> None:
    await put("acme/empty.txt", b"")

    assert (await loaded(source, "acme/empty.txt")).body == b""


async def test_what_does_not_exist_is_missing(source: Source, put: Put) -> None:
    await put("acme/a.txt", b"a")

    assert await source.load("acme/b.txt", "") == Missing()
    assert await source.load("acme", "") == Missing()


async def test_an_object_with_the_tag_that_is_held_is_not_sent(source: Source, put: Put) -> None:
    await put("acme/a.txt", b"one")
    first = await loaded(source, "acme/a.txt")

    assert await source.load("acme/a.txt", first.etag) == NotModified()
    await put("acme/a.txt", b"three")
    second = await source.load("acme/a.txt", first.etag)
    assert isinstance(second, Loaded)
    assert (second.body, second.etag != first.etag) == (b"three", True)


async def test_a_large_object_comes_as_its_beginning_and_the_rest_in_slices(source: Source, put: Put) -> None:
    body = bytes(range(256)) * 12_000
    await put("acme/large.bin", body)
    beginning = await loaded(source, "acme/large.bin")
    rest = [
        piece
        async for piece in source.slices("acme/large.bin", beginning.etag, len(beginning.body), beginning.size_bytes)
    ]

    assert (len(beginning.body), beginning.size_bytes) == (400_000, len(body))
    assert beginning.body + b"".join(rest) == body
    assert max(map(len, rest)) <= SLICE_BYTES


async def test_slices_of_another_version_are_refused(source: Source, put: Put) -> None:
    await put("acme/a.txt", b"x" * 500_000)
    first = await loaded(source, "acme/a.txt")
    await put("acme/a.txt", b"y" * 500_001)

    with pytest.raises(ObjectMoved):
        [piece async for piece in source.slices("acme/a.txt", first.etag, 400_000, 500_000)]


async def test_a_listing_is_in_order_with_the_tags_of_loads_and_can_go_on_behind_a_path(
    source: Source, put: Put
) -> None:
    for name in ("b/2", "a", "c", "b/1"):
        await put(f"acme/{name}", name.encode())
    await put("acmeother/x", b"x")
    pages = [page async for page in source.list("acme", "")]
    later = [each.path async for page in source.list("acme", "acme/b/1") for each in page]

    assert [each.path for page in pages for each in page] == ["acme/a", "acme/b/1", "acme/b/2", "acme/c"]
    assert pages[0][0][:3] == Listed("acme/a", (await loaded(source, "acme/a")).etag, 1)[:3]
    assert abs(pages[0][0].modified_at_unix_s - time.time()) < 60
    assert later == ["acme/b/2", "acme/c"]


async def test_a_listing_has_pages(s3: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    s3.use(monkeypatch)
    source = make_source(f"s3://{BUCKET}/{tmp_path.name}")
    s3.fill((f"{tmp_path.name}/acme/{number:04}" for number in range(1_005)), b"")

    assert [len(page) async for page in source.list("acme", "")] == [1_000, 5]


async def test_a_store_that_is_away_is_down_and_soon_not_asked_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    source = make_source("s3://nowhere")
    reasons = []
    for _ in range(6):
        with pytest.raises(SourceDown) as caught:
            await source.load("acme/a.txt", "")
        reasons.append(str(caught.value))

    assert reasons[-1] == "away"


async def test_what_is_broken_is_down_and_works_again_when_it_does(
    source: Source, put: Put, object_rig: ObjectRig, broken: object
) -> None:
    await put("acme/a.txt", b"x" * 500_000)
    first = await loaded(source, "acme/a.txt")
    object_rig.spoil(broken, "acme/a.txt")
    with pytest.raises(SourceDown):
        await source.load("acme/a.txt", "")
    with pytest.raises(SourceDown):
        await source.load("acme/a.txt", first.etag)
    with pytest.raises(SourceDown):
        [page async for page in source.list("acme", "")]
    with pytest.raises(SourceDown):
        [piece async for piece in source.slices("acme/a.txt", first.etag, 400_000, 500_000)]
    object_rig.mend("acme/a.txt")
    await put("acme/a.txt", b"there")

    assert (await loaded(source, "acme/a.txt")).body == b"there"


async def test_what_is_silent_is_given_up_in_time(object_rig: ObjectRig, silent: object) -> None:
    source = object_rig.open(document_timeout_s=TIMEOUT_S)
    await objects.put(source, "acme/a.txt", b"x" * 500_000)
    object_rig.spoil(silent, "acme/a.txt")
    began_at_s = time.monotonic()
    with pytest.raises(SourceDown):
        await source.load("acme/a.txt", "")
    took_s = time.monotonic() - began_at_s
    object_rig.mend("acme/a.txt")

    assert TIMEOUT_S * 0.9 <= took_s < TIMEOUT_S + MARGIN_S


async def test_what_stays_broken_is_soon_not_asked_at_all_and_is_used_again_by_itself(
    source: Source, put: Put, object_rig: ObjectRig, broken: object
) -> None:
    await put("acme/a.txt", b"a")
    await put("acme/b.txt", b"b")
    object_rig.spoil(broken, "acme/a.txt")
    for _ in range(FAILURES_MAX):
        with pytest.raises(SourceDown):
            await source.load("acme/a.txt", "")
    object_rig.mend("acme/a.txt")
    with pytest.raises(SourceDown) as caught:
        await source.load("acme/b.txt", "")
    answer = None
    until_s = time.monotonic() + 5
    while answer is None and time.monotonic() < until_s:
        with suppress(SourceDown):
            answer = await source.load("acme/b.txt", "")

    assert str(caught.value) == "away"
    assert isinstance(answer, Loaded)
    assert answer.body == b"b"


async def test_what_is_missing_or_moved_is_no_outage(source: Source, put: Put) -> None:
    await put("acme/a.txt", b"a")
    for _ in range(2 * FAILURES_MAX):
        assert await source.load("acme/none.txt", "") == Missing()
        with pytest.raises(ObjectMoved):
            [piece async for piece in source.slices("acme/a.txt", '"other"', 0, 1)]
        with pytest.raises(ObjectMoved):
            [piece async for piece in source.slices("acme/none.txt", '"other"', 0, 1)]

    assert (await loaded(source, "acme/a.txt")).body == b"a"


async def test_a_listing_of_nothing_has_no_pages(source: Source, put: Put) -> None:
    await put("other/a.txt", b"a")

    assert [page async for page in source.list("acme", "")] == []
