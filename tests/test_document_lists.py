"""GET /v1/documents: a tenant's documents by path, in pages."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.local.object_store import ObjectStore
from shared.documents.condition import Condition
from shared.documents.objects import HIGHEST, Objects, _before
from shared.documents.source import Source
from shared.environment import read_settings

NAMES = ("b.txt", "a/1", "a/2", "a/b/3", "a b", "a-1", "ü", "a.txt", "shared-notes", "𝄞", "\ufeffx")
STORE = {"UPSTASH_REDIS_REST_URL": "http://127.0.0.1:1", "UPSTASH_REDIS_REST_TOKEN": "none"}


@pytest.fixture(params=["folder", "s3"])
def filled(
    request: pytest.FixtureRequest, make_api: Callable[[], httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> httpx.Client:
    """An instance whose tenant has documents of all NAMES that are printable."""
    if request.param == "s3":
        request.getfixturevalue("s3").use(monkeypatch)
    api = make_api()
    for name in NAMES:
        assert api.put(f"/v1/documents/{name}", content=name).status_code == (200 if name.isprintable() else 404)
    return api


def paths(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["path"] for each in answer.json()["data"]]


KNOWN = sorted(name for name in NAMES if name.isprintable())


def test_all_are_listed_by_path_with_their_tags(filled: httpx.Client) -> None:
    answer = filled.get("/v1/documents")

    assert paths(answer) == KNOWN
    assert (answer.json()["object"], answer.json()["has_more"], answer.json()["next_after"]) == ("list", False, None)
    for each in answer.json()["data"]:
        head = filled.head(f"/v1/documents/{each['path']}")
        assert (each["object"], each["etag"]) == ("document", head.headers["etag"])
        assert each["bytes"] == int(head.headers["content-length"])
        assert each["modified_at"] > 1_700_000_000


@pytest.mark.parametrize("limit", [1, 2, 3, 9, 10])
def test_pages_go_on_where_the_last_one_ended(filled: httpx.Client, limit: int) -> None:
    seen: list[str] = []
    after = ""
    while True:
        answer = filled.get("/v1/documents", params={"limit": limit, "after": after})
        seen += paths(answer)
        assert len(paths(answer)) == limit or not answer.json()["has_more"]
        if not answer.json()["has_more"]:
            break
        after = answer.json()["next_after"]
    assert seen == KNOWN


PREFIXES = ("", "a", "a/", "a/b", "a/b/", "a ", "ü", "s", "shared", "none", "b.txt", "b.txt/", "..")
WITHOUT_NAMES = ("a//", "../x", "a\0", "a\\", "ü" * 300)
AFTERS = ("", "a/1", "a/2", "zzz", "a\\", "a/", "a//", "..", "b\0", "\U0010ffff", "ü" * 512)


def test_a_prefix_and_a_place_choose_whether_or_not_anything_can_be_called_so(filled: httpx.Client) -> None:
    for prefix in (*PREFIXES, *WITHOUT_NAMES):
        for after in AFTERS:
            found = paths(filled.get("/v1/documents", params={"prefix": prefix, "after": after}))
            assert found == [each for each in KNOWN if each.startswith(prefix) and each > after], (prefix, after)


def test_what_was_written_is_listed_and_what_was_deleted_is_not(filled: httpx.Client) -> None:
    filled.put("/v1/documents/a/15", content="x")
    filled.delete("/v1/documents/a/2")

    assert paths(filled.get("/v1/documents?prefix=a/")) == ["a/1", "a/15", "a/b/3"]


def test_tenants_list_their_own_and_what_all_read(
    api: httpx.Client, other_api: httpx.Client, documents_folder: Path, tenant: str
) -> None:
    (documents_folder / f"shared/of-{tenant}").mkdir(parents=True)
    for name in ("1", "2", "3"):
        (documents_folder / f"shared/of-{tenant}/{name}").write_text(name)
    (documents_folder / tenant / "shared").mkdir(parents=True)
    (documents_folder / tenant / "shared/hidden").write_text("has no name")
    api.put("/v1/documents/zz", content="mine")
    api.put("/v1/documents/a", content="mine")
    prefix = f"shared/of-{tenant}/"

    assert paths(api.get("/v1/documents")) == ["a", "zz"]
    assert paths(api.get("/v1/documents?after=a")) == ["zz"]
    assert paths(other_api.get("/v1/documents")) == []
    for client in (api, other_api):
        page = client.get("/v1/documents", params={"prefix": prefix, "limit": 2})
        assert paths(page) == [prefix + "1", prefix + "2"]
        rest = client.get("/v1/documents", params={"prefix": prefix, "after": page.json()["next_after"]})
        assert paths(rest) == [prefix + "3"]
        assert paths(client.get("/v1/documents", params={"prefix": prefix, "after": "zz"})) == []
        assert paths(client.get("/v1/documents", params={"prefix": prefix, "after": "a"})) == [
            prefix + name for name in ("1", "2", "3")
        ]
    assert paths(other_api.get("/v1/documents", params={"prefix": f"{tenant}/"})) == []


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("prefix=" + "x" * 513, "prefix"),
        ("order=desc", "order"),
    ],
)
def test_wrong_parameters_are_named(api: httpx.Client, query: str, param: str) -> None:
    answer = api.get(f"/v1/documents?{query}")

    assert (answer.status_code, answer.json()["param"]) == (400, param)


def test_more_than_a_page_of_the_object_store_is_gone_through(
    service: httpx.Client, s3: ObjectStore, tenant: str
) -> None:
    s3.fill([f"{tenant}/shared/{number:04}" for number in range(1_100)], b"x")
    s3.fill([f"{tenant}/x/{number:04}" for number in range(1_100)], b"x")
    first = service.get("/v1/documents?limit=1000")
    second = service.get("/v1/documents", params={"limit": 1000, "after": first.json()["next_after"]})

    assert paths(first) + paths(second) == [f"x/{number:04}" for number in range(1_100)]
    assert (first.json()["has_more"], second.json()["has_more"]) == (True, False)
    assert paths(service.get("/v1/documents?prefix=x/10&limit=1000")) == [
        f"x/{number}" for number in range(1_000, 1_100)
    ]


NAME = st.text(st.characters(codec="utf-8"), min_size=1, max_size=4)


@given(NAME, NAME)
def test_what_comes_before_a_prefix_leaves_out_nothing_that_begins_so(prefix: str, rest: str) -> None:
    assert _before(prefix) < prefix + rest.replace(HIGHEST, "")


async def test_listings_of_all_kinds_agree(tmp_path: Any) -> None:
    found = []
    for url in ("memory:///", str(tmp_path)):
        settings = read_settings(STORE)._replace(documents_url=url)
        objects = Objects(Source(settings), settings)
        for name in KNOWN:
            await objects.put(f"acme/{name}", name.encode(), Condition())
        page = await objects.page("acme", "a", "a-1", 3)
        found.append(([each.path for each in page.objects], page.has_more))

    assert found[0] == found[1] == (["a.txt", "a/1", "a/2"], True)
