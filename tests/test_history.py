"""The checker of histories finds each kind of broken promise, and finds none in a history that keeps them all."""

from typing import Any

from scripts.proving.history.checker import check, kinds
from scripts.proving.history.recorded import Append, Delete, History, Log, Lookup, Operation, Outcome, Read, Rollback


def log(*names: str, deleted: str = "", version: int = 0) -> Log:
    """Items named by their ids; the text of `a` is `A`, and of a second copy `a2` as well."""
    return Log(names, {name: name[0].upper() for name in names}, frozenset(deleted), version or len(names))


def append(start: int, end: int, names: str, outcome: Outcome = Outcome.OK, **more: Any) -> Append:
    ids = tuple(names) if outcome is Outcome.OK else ()
    return Append(more.pop("process", 0), start, end, outcome, tuple(names.upper()), ids, **more)


def read(start: int, end: int, names: str, **more: Any) -> Read:
    return Read(more.pop("process", 1), start, end, tuple(names), **more)


def found(stored: Log, *operations: Operation, finals: str | None = None) -> list[str]:
    shown = {} if finals is None else {2: tuple(finals)}
    return sorted(kinds(check(History(list(operations), stored, shown))))


AB, C = append(1, 2, "ab"), append(5, 8, "c")


def test_a_history_that_keeps_every_promise_has_no_findings() -> None:
    operations: list[Operation] = [
        AB,
        C,
        append(6, 7, "d", Outcome.REFUSED),
        append(6, 9, "ef", Outcome.UNKNOWN),
        Delete(0, 10, 12, Outcome.OK, "a"),
        read(3, 4, "ab", version=2),
        read(6, 7, "ab", version=2),
        read(6, 9, "abc", version=3),
        read(9, 10, "abc", max_age_ns=5),
        read(10, 13, "bcef", version=6),
        read(11, 12, "abcef"),
        read(13, 14, "bcef", version=6),
        read(13, 14, "b", to_end=False),
        read(13, 14, "cef", after="b"),
        read(13, 14, "ef", after=None),
        Lookup(1, 13, 14, "a", found=False),
        Lookup(1, 6, 7, "c", found=False),
        Lookup(1, 9, 10, "c", found=True),
    ]

    assert check(History(operations, log(*"abcef", deleted="a", version=6), {2: tuple("bcef")})) == []


def test_an_acknowledged_item_that_is_not_in_the_log_is_found() -> None:
    assert found(log("a", "b"), AB, C) == ["lost"]
    assert "lost" in found(log("a"), AB)
    assert "lost" in found(log("a", "b"), AB._replace(ids=("a", "x")))


def test_an_item_that_is_blank_though_nobody_deleted_it_is_found() -> None:
    assert found(log("a", "b", deleted="b"), AB) == ["lost"]


def test_a_batch_stored_twice_is_found() -> None:
    assert found(log("a", "b", "a2", "b2"), AB) == ["duplicate"]
    assert found(log("a", "b", "a2", "b2"), AB._replace(copies_max=2)) == ["duplicate"]


def test_a_repeat_without_a_key_may_be_stored_again_behind_another_batch() -> None:
    retried = AB._replace(end_ns=9, ids=("a2", "b2"), copies_max=2)

    assert found(log("a", "b", "c", "a2", "b2"), retried, C) == []
    assert found(log("a", "b", "c", "a2", "b2"), retried._replace(copies_max=1), C) == ["duplicate"]


def test_an_item_shown_twice_is_found() -> None:
    assert found(log("a", "b"), AB, read(3, 4, "aab")) == ["duplicate"]


def test_a_batch_in_pieces_is_found_in_the_log() -> None:
    assert found(log("a", "c", "b"), append(1, 9, "ab"), append(1, 9, "c")) == ["split"]
    assert "split" in found(log("b", "a"), AB)
    assert found(log("a"), append(1, 2, "ab", Outcome.UNKNOWN)) == ["split"]


def test_a_batch_in_pieces_is_found_in_a_read() -> None:
    unknown = append(1, 9, "ab", Outcome.UNKNOWN)

    assert found(log("a", "b"), unknown, read(3, 4, "a")) == ["split"]
    assert found(log("a", "b"), unknown, read(3, 4, "a", to_end=False)) == []


def test_a_refused_batch_in_the_log_is_found() -> None:
    assert found(log("a"), append(1, 2, "a", Outcome.REFUSED)) == ["refused"]


def test_an_item_that_nobody_sent_is_found() -> None:
    assert found(log("a", "b", "x"), AB) == ["phantom"]
    assert found(log("a", "b"), AB, read(3, 4, "abx")) == ["phantom"]
    assert found(log("a", "b"), AB, Lookup(1, 3, 4, "x", found=True)) == ["phantom"]


def test_a_log_in_another_order_than_the_appends_is_found() -> None:
    assert found(log("c", "a", "b"), AB, C) == ["order"]
    assert found(log("c", "a", "b"), AB._replace(end_ns=6), C) == []


def test_items_shown_in_another_order_than_the_logs_are_found() -> None:
    assert found(log("a", "b"), AB, read(3, 4, "ba")) == ["order"]


def test_a_read_older_than_an_acknowledged_append_is_found() -> None:
    stored = log("a", "b", "c")

    assert found(stored, AB, C, read(9, 10, "ab")) == ["stale"]
    assert found(stored, AB, C, read(9, 10, "ab", version=2)) == ["stale", "version"]
    assert found(stored, AB, C, read(9, 10, "", after="b")) == ["stale"]
    assert found(stored, AB, C, read(9, 10, "", after=None)) == []
    assert found(stored, AB, C, Lookup(1, 9, 10, "c", found=False)) == ["stale"]


def test_a_read_may_be_as_old_as_it_was_allowed_to_be_and_no_older() -> None:
    stored = log("a", "b", "c")

    assert found(stored, AB, C, read(9, 10, "ab", max_age_ns=1)) == []
    assert found(stored, AB, C, read(11, 12, "ab", max_age_ns=2)) == ["stale"]
    assert found(stored, AB, C, Lookup(1, 11, 12, "c", found=False, max_age_ns=2)) == ["stale"]


def test_a_read_without_earlier_items_is_found() -> None:
    unknown = [append(1, 9, "a", Outcome.UNKNOWN), append(1, 9, "b", Outcome.UNKNOWN)]

    assert found(log("a", "b"), *unknown, read(3, 4, "b")) == ["gap"]
    assert found(log("a", "b"), *unknown, read(3, 4, "a")) == []


def test_what_was_seen_once_and_then_is_gone_is_found() -> None:
    unknown = append(1, 9, "c", Outcome.UNKNOWN)
    stored = log("a", "b", "c")

    assert found(stored, AB, unknown, read(3, 4, "abc"), read(5, 6, "ab", process=2)) == ["gone"]
    assert found(stored, AB, unknown, read(3, 6, "abc"), read(5, 6, "ab", process=2)) == []
    assert found(stored, AB, unknown, Lookup(1, 3, 4, "c", found=True), read(5, 6, "ab")) == ["gone"]


def test_a_deleted_item_that_is_shown_is_found() -> None:
    delete = Delete(0, 3, 4, Outcome.OK, "b")
    stored = log("a", "b", deleted="b", version=3)

    assert found(stored, AB, delete, read(5, 6, "ab")) == ["deleted"]
    assert found(stored, AB, delete, Lookup(1, 5, 6, "b", found=True)) == ["deleted"]
    assert found(stored, AB, delete, read(3, 6, "ab")) == []
    assert found(stored, AB, delete, read(5, 6, "ab", max_age_ns=2)) == []


def test_an_item_that_comes_back_after_a_delete_of_unknown_outcome_is_found() -> None:
    delete = Delete(0, 3, 4, Outcome.UNKNOWN, "b")
    stored = log("a", "b", deleted="b", version=3)

    assert found(stored, AB, delete, read(5, 6, "a"), read(7, 8, "ab")) == ["deleted"]
    assert found(stored, AB, delete, Lookup(1, 5, 6, "b", found=False), read(7, 8, "ab")) == ["deleted"]
    assert found(stored, AB, delete, read(5, 6, "ab"), read(7, 8, "a")) == []


def test_a_deleted_item_that_is_still_in_the_log_is_found() -> None:
    assert found(log("a", "b"), AB, Delete(0, 3, 4, Outcome.OK, "b")) == ["deleted"]


def test_a_version_that_goes_back_is_found() -> None:
    unknown = append(1, 9, "c", Outcome.UNKNOWN)
    stored = log("a", "b", "c")

    newer, older = read(3, 4, "ab", version=3), read(5, 6, "ab", version=2)
    assert found(stored, AB, unknown, newer, older._replace(process=2)) == ["version"]
    assert found(stored, AB, unknown, newer, older._replace(max_age_ns=3)) == ["version"]
    assert found(stored, AB, unknown, newer, older._replace(process=2, max_age_ns=3)) == []


def test_a_version_with_two_contents_is_found() -> None:
    unknown = append(1, 9, "c", Outcome.UNKNOWN)
    stored = log("a", "b", "c")

    assert found(stored, AB, unknown, read(3, 5, "ab", version=2), read(3, 5, "abc", version=2)) == ["version"]


def test_a_version_that_counts_too_few_or_too_many_entries_is_found() -> None:
    assert found(log("a", "b"), AB, read(3, 4, "ab", version=1)) == ["version"]
    assert found(log("a", "b"), AB, read(3, 4, "ab", version=3)) == ["version"]


def test_a_process_that_shows_another_log_in_the_end_is_found() -> None:
    assert found(log("a", "b"), AB, finals="ab") == []
    assert found(log("a", "b"), AB, finals="a") == ["disagreement"]
    assert found(log("a", "b"), AB, finals="ba") == ["disagreement"]


ROLLBACK = Rollback(10, 12, log("a", "b", "c"), log("a", "b"))
D = append(13, 14, "d")


def test_a_rollback_takes_back_what_was_acknowledged() -> None:
    reads = [
        read(9, 10, "abc", version=3),
        read(11, 13, "abc"),
        read(9, 11, "ab"),
        read(13, 13, "ab", version=2),
        read(15, 16, "abd", version=3),
    ]

    assert found(log("a", "b", "d"), AB, C, ROLLBACK, D, *reads) == []


def test_a_read_after_a_rollback_that_shows_what_it_took_is_found() -> None:
    assert found(log("a", "b", "d"), AB, C, ROLLBACK, D, read(15, 16, "abc")) == ["phantom"]
    assert found(log("a", "b", "d"), AB, C, ROLLBACK, D, read(15, 16, "abcd")) == ["phantom"]
    assert found(log("a", "b"), AB, C, ROLLBACK, Lookup(1, 15, 16, "c", found=True)) == ["phantom"]


def test_a_read_during_a_rollback_that_mixes_both_sides_is_found() -> None:
    assert found(log("a", "b", "d"), AB, C, ROLLBACK, D, read(11, 14, "abcd")) == ["mixed"]
    assert found(log("a", "b", "d"), AB, C, ROLLBACK, D, read(11, 14, "abd")) == []


def test_a_read_may_be_of_before_a_rollback_when_it_may_be_that_old() -> None:
    assert found(log("a", "b", "d"), AB, C, ROLLBACK, D, read(15, 16, "abc", version=3, max_age_ns=4)) == []
    assert found(log("a", "b", "d"), AB, C, ROLLBACK, D, read(15, 16, "abd", max_age_ns=4)) == []
    assert found(log("a", "b", "d"), AB, C, ROLLBACK, D, read(15, 16, "abcd", max_age_ns=4)) == ["mixed"]
    assert found(log("a", "b", "d"), AB, C, ROLLBACK, D, read(17, 18, "abc", max_age_ns=4)) == ["phantom"]


def test_what_a_rollback_took_and_is_in_the_log_again_is_found() -> None:
    assert found(log("a", "b", "c"), AB, C, ROLLBACK) == ["phantom"]
    assert found(log("a", "b", "c"), AB, C._replace(end_ns=15), ROLLBACK) == []


def test_what_is_acknowledged_after_a_rollback_must_stay() -> None:
    assert found(log("a", "b"), AB, C, ROLLBACK, D) == ["lost"]
    assert "lost" in found(log("a", "d"), AB, C, ROLLBACK, D)
    assert found(log("a", "b", "d"), AB, C, ROLLBACK, D, read(15, 16, "ab")) == ["stale"]
    assert found(log("a", "b"), AB, C, ROLLBACK, read(15, 16, "a")) == ["stale"]
