"""After the store was set back, the tags of what was lost are no tags of what was written in its place."""

from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import pytest

from scripts.local.upstash import LocalUpstash

READS = ("", "/items", "/items/msg_0", "/context?budget=1000")


class Branches(NamedTuple):
    """A conversation whose second item one instance has seen, and lost; *tags* of it then, by the read."""

    url: str
    witness: httpx.Client
    other: httpx.Client
    tags: dict[str, str]


def append(client: httpx.Client, url: str, text: str) -> httpx.Response:
    answer = client.post(url + "/items", json={"items": [{"role": "user", "content": text}]})
    assert answer.status_code == 200
    return answer


def position(answer: httpx.Response) -> str:
    """Return `<version>.<chain hash>` as the tag of a read names it."""
    return ".".join(answer.headers["etag"].strip('"').split(".")[1:3])


def tier(answer: httpx.Response) -> str:
    return answer.headers["cache-status"].rpartition("detail=")[2]


@pytest.fixture
def branches(
    api: httpx.Client, make_api: Callable[[], httpx.Client], run: Callable[..., Any], key_of: Callable[[str], str]
) -> Branches:
    witness = make_api()
    created = api.post("/v1/conversations", json={"items": [{"role": "user", "content": "one", "id": "msg_0"}]})
    name, url = key_of(created.json()["id"]), f"/v1/conversations/{created.json()['id']}"
    backup = run("HGETALL", name)
    append(witness, url, "lost")
    tags = {path: witness.get(url + path).headers["etag"] for path in READS}
    run("DEL", name)
    run("HSET", name, *backup)
    append(api, url, "kept")
    return Branches(url, witness, api, tags)


@pytest.mark.parametrize("path", READS)
def test_what_was_lost_is_no_304(branches: Branches, path: str) -> None:
    for client in (branches.other, branches.witness):
        answer = client.get(branches.url + path, headers={"if-none-match": branches.tags[path]})

        assert (answer.status_code, answer.headers["etag"] == branches.tags[path]) == (200, False)


@pytest.mark.parametrize("path", READS)
def test_a_copy_of_what_was_lost_is_not_the_version_that_took_its_place(branches: Branches, path: str) -> None:
    kept = position(branches.other.get(branches.url + path))
    assert kept.split(".")[0] == "2"
    answer = branches.witness.get(branches.url + path, headers={"warmthread-min-version": kept})

    assert (answer.status_code, tier(answer), position(answer)) == (200, "L2", kept)


def test_a_tag_names_generation_version_and_chain(api: httpx.Client) -> None:
    url = f"/v1/conversations/{api.post('/v1/conversations').json()['id']}"
    empty = api.get(url).headers["etag"].strip('"').split(".")
    assert empty[1:3] == ["0", "0"]
    append(api, url, "one")
    tags = [api.get(url + path).headers["etag"].strip('"').split(".") for path in ("", "/items", "/context?budget=100")]

    assert [tag[:2] for tag in tags] == [[empty[0], "1"]] * 3
    assert {len(tag[2]) for tag in tags} == {16}
    assert tags[0][:3] == tags[1] == tags[2][:3]
    assert [len(tag) for tag in tags] == [4, 3, 4]


@pytest.mark.parametrize("path", READS)
def test_who_names_a_state_is_answered_by_a_copy_that_came_after_it(
    api: httpx.Client, upstash: LocalUpstash, path: str
) -> None:
    created = api.post("/v1/conversations", json={"items": [{"role": "user", "content": "one", "id": "msg_0"}]})
    url = f"/v1/conversations/{created.json()['id']}"
    earlier = position(api.get(url))
    append(api, url, "two")
    append(api, url, "three")
    now = position(api.get(url + path))
    upstash.reset()
    names = ("0", "0.0", "1", earlier, now)
    held = [tier(api.get(url + path, headers={"warmthread-min-version": name})) for name in names]
    assert (held, upstash.requests) == (["L0"] * 5, 0)
    others = (f"3.{'0' * 16}", f"1.{'f' * 16}", f"4.{now.split('.')[1]}")
    asked = [tier(api.get(url + path, headers={"warmthread-min-version": name})) for name in others]

    assert asked == ["L1"] * 3


@pytest.mark.parametrize("name", ["", "1.", ".1", "1.x", "1.12345", "-1", "01", "1234567890", "x", "1.0.0"])
def test_what_names_no_state_is_refused(api: httpx.Client, name: str) -> None:
    url = f"/v1/conversations/{api.post('/v1/conversations').json()['id']}"
    answer = api.get(url, headers={"warmthread-min-version": name})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "Warmthread-Min-Version")


@pytest.mark.parametrize("path", READS)
def test_an_age_and_a_version_must_both_hold(api: httpx.Client, path: str) -> None:
    created = api.post("/v1/conversations", json={"items": [{"role": "user", "content": "one", "id": "msg_0"}]})
    url = f"/v1/conversations/{created.json()['id']}"
    api.get(url + path)

    def asks(age: str, version: str) -> str:
        return tier(api.get(url + path, headers={"cache-control": age, "warmthread-min-version": version}))

    assert [asks("max-age=60", "1"), asks("max-age=0", "1"), asks("max-age=60", "2")] == ["L0", "L1", "L1"]
    refused = {"cache-control": "only-if-cached, max-age=60", "warmthread-min-version": "2"}
    assert api.get(url + path, headers=refused).status_code == 504
