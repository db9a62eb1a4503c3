"""What imports are made of: the map on disk, sorting, how a terminal is spared, places of refusals."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.importing.batches import ITEMS_MAX, Fresh
from scripts.importing.checking import Checker, Refusal
from scripts.importing.mapping import Entry, Map, Pending
from scripts.importing.redis_reading import escaped
from scripts.importing.showing import plain
from scripts.importing.sorting import PAGE, Row, Sorter
from scripts.importing.source import Record, Session
from tests.examples import examples
from tests.imports import Json, Store

pytestmark = pytest.mark.unmeasured


def entries(path: Path) -> list[Entry]:
    with Map(path, "s") as found:
        return list(found.entries())


def test_a_map_says_what_was_put_last_also_after_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "map"
    with Map(path, "s") as made:
        made.put(Entry("a", pending=Pending(3, "")))
        made.put(Entry("b\n\ud800", "conv_b", 1, 1, 5))
        made.put(Entry("a", "conv_a", 3, 3, 9, "k", "d"))
    whole = path.read_bytes()
    for cut in range(len(whole) - 1, len(whole) - 20, -1):
        path.write_bytes(whole[:cut])
        assert entries(path)[0].source_id in ("a", "b\n\ud800")
    path.write_bytes(whole + b'{"source": "s", "sou')

    assert entries(path) == [Entry("b\n\ud800", "conv_b", 1, 1, 5), Entry("a", "conv_a", 3, 3, 9, "k", "d")]
    with Map(path, "s") as again:
        assert again.get("c") is None
        again.put(Entry("c"))
        assert again.get("c") == Entry("c")


def test_a_map_that_has_grown_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "map"
    with Map(path, "s") as made:
        for number in range(50):
            made.put(Entry("a", "conv_a", number))

    assert [json.loads(line)["records"] for line in path.read_text().splitlines()] == [49]
    assert [each.name for each in tmp_path.iterdir()] == ["map"]
    assert path.stat().st_mode & 0o777 == 0o600


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.integers(0, 400)), max_size=PAGE * 3))
@settings(max_examples=examples(80))
def test_records_come_out_in_order_and_once(drawn: list[tuple[str, int, int]]) -> None:
    rows = [Row(who, f"k{key}", float(instant), f"{key:04}", f"{who} {key}") for who, instant, key in drawn]
    first = {(row.conversation, row.key): row for row in reversed(rows)}
    sorter = Sorter()
    try:
        sorter.add(rows)
        sorter.sort()
        assert list(sorter.conversations()) == sorted({row.conversation for row in rows})
        assert sorter.count() == len({row.conversation for row in rows})
        for who in "abc":
            own = sorted((row.instant, row.order, row.record) for row in first.values() if row.conversation == who)
            assert list(sorter.records(who)) == [record for *_, record in own]
    finally:
        sorter.close()


@given(st.lists(st.sampled_from(["items", "chat", "nothing", "calls"]), max_size=350), st.integers(0, 20))
@settings(max_examples=examples(80))
def test_batches_hold_all_records_in_order_and_few_enough_items(kinds: list[str], first: int) -> None:
    def values(kind: str, number: int) -> tuple[Json, ...]:
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        made: dict[str, Json] = {
            "items": {"role": "user", "content": f"{number}"},
            "chat": {"role": "user", "content": f"{number}"},
            "calls": {"role": "assistant", "content": f"{number}", "tool_calls": [call] * 30},
        }
        return (made[kind],) if kind in made else ()

    records = [
        Record(f"{number}", form="" if kind == "items" else "chat", values=values(kind, number))
        for number, kind in enumerate(kinds)
    ]
    session = Session("s", lambda: iter(records))
    with Fresh(session, Entry("s"), Checker(), lambda: None) as fresh:
        batches = list(fresh.batches(min(first, len(records)) if set(kinds) <= {"items"} else 0))

    assert sum(batch.records for batch in batches) == len(records)
    assert [value for batch in batches for value in batch.values] == [
        each for record in records for each in record.values
    ]
    assert all(batch.size.items <= ITEMS_MAX for batch in batches)
    assert {batch.form for batch in batches if batch.values} <= {"", "chat"}


def test_a_conversation_that_is_too_much_is_refused_as_a_whole() -> None:
    pinned = [Record(f"{number}", values=({"role": "system", "content": "word " * 9_000},)) for number in range(4)]
    with Fresh(Session("s", lambda: iter(pinned)), Entry("s"), Checker(), lambda: None) as fresh:
        too_much = fresh.is_too_much(Entry("s"))

    assert isinstance(too_much, Refusal)
    assert "tokens of system and developer messages" in too_much.reason


def test_what_a_terminal_would_obey_is_not_shown() -> None:
    assert plain("a\x1b[31mb\nc") == "a�[31mb�c"
    assert plain("x" * 300, 10) == "xxxxxxxxx…"


def test_lists_are_read_in_pages_from_either_end(store: Store) -> None:
    wanted = [b"%d" % number for number in range(250)]
    store.call("RPUSH", "right", *wanted)
    store.call("LPUSH", "left", *wanted)

    assert list(store.reading.in_order("right")) == wanted
    assert list(store.reading.oldest_first("left")) == wanted


def test_names_are_found_by_type_and_not_by_what_looks_like_a_pattern(store: Store) -> None:
    store.call("RPUSH", "a[1]:x", "1")
    store.call("RPUSH", "a1:x", "1")
    store.call("SET", "a[1]:y", "1")

    assert list(store.reading.names("a[1]:", "", "list")) == ["a[1]:x"]
    assert escaped("a*?[]\\") == "a\\*\\?\\[\\]\\\\"
