"""Counts in a second encoding are kept in blocks, and who copies or moves entries knows which."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import httpx
import orjson
import pytest

from shared.conversations import forks, kept_counts, needs
from tests.lives import Append, Delete, Told, begin, live

PREFIX = "q:cl100k_base:"


@pytest.fixture(autouse=True)
def blocks_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    modules: list[ModuleType] = [kept_counts, forks, needs]
    for module in modules:
        monkeypatch.setattr(module, "BLOCK_ENTRIES", 4)


@pytest.fixture
def told(api: httpx.Client) -> Told:
    """A conversation of ten items, counted in the second encoding."""
    told = begin(api)
    live(api, told, [Append(("u",) * 10)])
    count(api, told.id)
    return told


@pytest.fixture
def blocks(run: Callable[..., Any], key_of: Callable[[str], str]) -> Callable[[str], dict[str, str]]:
    def kept(conversation_id: str) -> dict[str, str]:
        flat = run("HGETALL", key_of(conversation_id))
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        return {name.removeprefix(PREFIX): fields[name] for name in sorted(fields) if name.startswith(PREFIX)}

    return kept


def count(api: httpx.Client, conversation_id: str) -> None:
    answer = api.get(f"/v1/conversations/{conversation_id}/context?model=gpt-4&budget=8000&format=chat")
    assert answer.status_code == 200, answer.text
    api.get("/api/health")  # The connection takes it only when the work after the first answer is done.


def test_a_block_holds_the_counts_of_its_places(told: Told, blocks: Callable[[str], dict[str, str]]) -> None:
    kept = blocks(told.id)

    assert list(kept) == ["0", "1", "2"]
    assert kept["1"].startswith("[[4,")
    assert ",[7," in kept["1"]


def test_another_instance_reads_every_block(
    told: Told,
    make_service: Callable[[], str],
    key: str,
    blocks: Callable[[str], dict[str, str]],
    run: Any,
    key_of: Any,
) -> None:
    with httpx.Client(base_url=make_service(), headers={"authorization": f"Bearer {key}"}, timeout=30) as cold:
        count(cold, told.id)
        run("HDEL", key_of(told.id), *[PREFIX + block for block in blocks(told.id)])
        count(cold, told.id)

    assert blocks(told.id) == {}, "what was read is not counted again"


@pytest.mark.parametrize("held", ["", "/items", "/context?budget=8000"])
def test_kept_counts_come_with_the_first_context_that_needs_them_whatever_is_held(
    api: httpx.Client,
    told: Told,
    make_api: Callable[[], httpx.Client],
    blocks: Callable[[str], dict[str, str]],
    run: Any,
    key_of: Any,
    held: str,
) -> None:
    cold, url = make_api(), f"/v1/conversations/{told.id}"
    wanted = f"{url}/context?model=gpt-4&budget=8000&format=chat"
    if held:
        assert cold.get(url + held).status_code == 200
    (seq, overhead, content, *rest), *others = orjson.loads(blocks(told.id)["0"])
    marked = orjson.dumps([[seq, overhead, content + 1_000, *rest], *others]).decode()
    run("HSET", key_of(told.id), PREFIX + "0", marked)

    assert cold.get(wanted).json()["tokens"] == api.get(wanted).json()["tokens"] + 1_000


def test_a_fork_keeps_the_blocks_that_its_own_entries_fill(
    api: httpx.Client, told: Told, blocks: Callable[[str], dict[str, str]]
) -> None:
    fork = api.post(f"/v1/conversations/{told.id}/fork", json={"after": told.ids[5]}).json()

    assert list(blocks(fork["id"])) == ["0"]


def test_compaction_drops_every_block(api: httpx.Client, told: Told, blocks: Callable[[str], dict[str, str]]) -> None:
    live(api, told, [Delete(0)])
    api.post(f"/v1/conversations/{told.id}/compact")

    assert blocks(told.id) == {}
