"""What every object store does with writes: whole, under their condition in one step, and known again by their tags."""

import asyncio

import pytest

from scripts.faults.server import Fault
from shared.documents.condition import ANY, Condition
from shared.documents.objects import Objects, OutcomeUnknown
from shared.documents.source import Loaded, Missing, ObjectMoved, Source, SourceAway, SourceDown, SourceRefused
from shared.environment import read_settings
from shared.store.breaker import FAILURES_MAX
from tests.contract.objects import STORE, ObjectRig, s3

FREELY, IS_NEW = Condition(), Condition(is_new=True)
WRITERS = 10


def matching(*tags: str) -> Condition:
    return Condition(frozenset(tags))


@pytest.fixture
def source(object_rig: ObjectRig) -> Source:
    return object_rig.open()


@pytest.fixture
def objects(source: Source) -> Objects:
    return Objects(source, read_settings(STORE))


async def body(source: Source, path: str) -> bytes | None:
    found = await source.load(path, "")
    if isinstance(found, Missing):
        return None
    assert isinstance(found, Loaded)
    return found.body


async def test_what_is_put_has_the_tag_that_loads_listings_and_looks_say(objects: Objects, source: Source) -> None:
    for text in (b"first", b"", b"x" * 1_048_576):
        etag = await objects.put("acme/a b%ü.txt", text, FREELY)
        found = await source.load("acme/a b%ü.txt", "")
        [listed] = [each async for page in source.list("acme", "") for each in page]

        assert found == Loaded(etag, text, len(text))
        assert (listed.etag, listed.size_bytes, await objects.find("acme/a b%ü.txt")) == (etag, len(text), etag)


async def test_a_condition_that_does_not_hold_changes_nothing(objects: Objects, source: Source) -> None:
    path = "acme/a.txt"
    for condition in (matching(ANY), matching('"x"'), matching('"x"', '"y"'), Condition(frozenset([ANY]), is_new=True)):
        with pytest.raises(ObjectMoved):
            await objects.put(path, b"new", condition)
        with pytest.raises(ObjectMoved):
            await objects.delete(path, condition)
    assert await body(source, path) is None
    etag = await objects.put(path, b"old", IS_NEW)
    for condition in (IS_NEW, matching('"x"'), matching('"x"', '"y"'), Condition(frozenset([etag]), is_new=True)):
        with pytest.raises(ObjectMoved):
            await objects.put(path, b"new", condition)
        with pytest.raises(ObjectMoved):
            await objects.delete(path, condition)
    assert await body(source, path) == b"old"


async def test_a_condition_that_holds_lets_write(objects: Objects, source: Source) -> None:
    path, etag = "acme/a.txt", await objects.put("acme/a.txt", b"0", IS_NEW)
    for number, condition in enumerate([matching(etag), matching(ANY)]):
        etag = await objects.put(path, f"{number + 1}".encode(), condition)
    etag = await objects.put(path, b"3", matching('"x"', etag))

    assert await body(source, path) == b"3"
    assert await objects.delete(path, matching(etag)) is True
    assert await objects.delete(path, FREELY) is False
    assert (await body(source, path), await objects.find(path)) == (None, None)


async def test_of_those_who_write_over_the_same_version_one_does(objects: Objects, source: Source) -> None:
    condition = IS_NEW
    for turn in range(5):
        bodies = [f"{turn}.{number}".encode() for number in range(WRITERS)]
        came = await asyncio.gather(
            *(objects.put("acme/a.txt", each, condition) for each in bodies), return_exceptions=True
        )
        [(won, etag)] = [(at, each) for at, each in enumerate(came) if isinstance(each, str)]
        assert all(isinstance(each, ObjectMoved) for each in came if each != etag)
        assert await source.load("acme/a.txt", "") == Loaded(etag, bodies[won], len(bodies[won]))
        condition = matching(etag)
    gone = await asyncio.gather(*(objects.delete("acme/a.txt", condition) for _ in bodies), return_exceptions=True)
    assert gone.count(True) == 1
    assert sum(isinstance(each, ObjectMoved) for each in gone) == WRITERS - 1


LOST = (Fault.CLOSE, Fault.NOT_HTTP, Fault.ERROR_500)


@pytest.mark.parametrize("fault", LOST)
async def test_a_write_whose_answer_is_lost_may_have_happened_and_is_not_sent_again(
    fault: Fault, request: pytest.FixtureRequest
) -> None:
    with s3(request) as rig:
        source = rig.open()
        objects = Objects(source, read_settings(STORE))
        etag = await objects.put("acme/a.txt", b"old", FREELY)
        rig.spoil(fault, "acme/a.txt")
        with pytest.raises(OutcomeUnknown):
            await objects.put("acme/a.txt", b"new", matching(etag))
        with pytest.raises(SourceDown) as looked:
            await objects.delete("acme/a.txt", FREELY)
        rig.mend("acme/a.txt")

        assert not isinstance(looked.value, OutcomeUnknown)
        assert await body(source, "acme/a.txt") == b"new"


async def test_what_is_forbidden_changes_nothing_and_is_no_outage(request: pytest.FixtureRequest) -> None:
    with s3(request) as rig:
        source = rig.open()
        objects = Objects(source, read_settings(STORE))
        etag = await objects.put("acme/a.txt", b"old", FREELY)
        rig.spoil(Fault.REFUSE_403, "acme/a.txt")
        for condition in (FREELY, matching(etag), matching(ANY)) * FAILURES_MAX:
            with pytest.raises(SourceRefused):
                await objects.put("acme/a.txt", b"new", condition)
        with pytest.raises(SourceRefused):
            await objects.delete("acme/a.txt", FREELY)
        rig.mend("acme/a.txt")

        assert await body(source, "acme/a.txt") == b"old"


async def test_what_is_taken_for_away_is_not_asked(request: pytest.FixtureRequest) -> None:
    with s3(request) as rig:
        objects = Objects(rig.open(), read_settings(STORE))
        await objects.put("acme/a.txt", b"old", FREELY)
        rig.spoil(Fault.ERROR_500, "acme/a.txt")
        for _ in range(FAILURES_MAX):
            with pytest.raises(OutcomeUnknown):
                await objects.put("acme/a.txt", b"new", FREELY)
        for call in (objects.put("acme/a.txt", b"new", FREELY), objects.delete("acme/a.txt", FREELY)):
            with pytest.raises(SourceAway):
                await call


async def test_a_store_that_cannot_be_opened_was_not_written_to(request: pytest.FixtureRequest) -> None:
    root = request.getfixturevalue("tmp_path") / "file"
    root.write_text("no folder")
    settings = read_settings(STORE)._replace(documents_url=str(root / "below"))
    objects = Objects(Source(settings), settings)
    with pytest.raises(SourceDown) as caught:
        await objects.put("acme/a.txt", b"new", FREELY)

    assert not isinstance(caught.value, OutcomeUnknown)
