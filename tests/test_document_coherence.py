"""Documents overwritten behind the service's back, in four processes; the long form is scripts/prove documents."""

import pytest

from scripts.proving.documents import outage
from scripts.proving.documents.experiment import INSTANCES, Options, Seen, Write, check, experiment

pytestmark = pytest.mark.unmeasured


def test_after_a_notice_no_process_shows_the_old_text() -> None:
    report = experiment(Options(reads=600))

    assert report.violations == []
    assert len(report.reads) + report.refused == 600
    assert report.refused < 25
    assert {read.instance for read in report.reads} == set(range(INSTANCES))
    assert len({read.number for read in report.reads}) > 5


def test_nor_while_scripts_end_half_way(monkeypatch: pytest.MonkeyPatch) -> None:
    # What a script leaves that ends half-way is waited for until its lease runs out.
    monkeypatch.setenv("WARMTHREAD_DOCUMENT_LEASE_S", "0.5")
    report = experiment(Options(reads=250, halfway=True))

    assert report.violations == []
    assert report.refused < 25
    assert report.ended_half_way > 4


@pytest.mark.parametrize("halfway", [False, True])
def test_after_a_write_through_the_api_no_process_shows_the_old_text(
    halfway: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARMTHREAD_DOCUMENT_LEASE_S", "1")
    monkeypatch.setenv("WARMTHREAD_DOCUMENT_TIMEOUT_S", "0.7")
    report = experiment(Options(reads=250 if halfway else 600, halfway=halfway, through_api=True))

    assert report.violations == []
    assert report.refused < 25
    assert {read.instance for read in report.reads} == set(range(INSTANCES))
    assert len({read.number for read in report.reads}) > 5
    assert not halfway or report.ended_half_way > 0


def test_without_a_notice_no_process_shows_it_for_longer_than_a_copy_is_fresh() -> None:
    report = experiment(Options(reads=800, with_notices=False, fresh_s=1))

    assert report.violations == []
    assert len({read.number for read in report.reads}) > 1


def test_the_check_finds_what_may_not_happen() -> None:
    writes = [Write(1, 0.0, 0.1, 0.2), Write(2, 1.0, 1.1, 1.2)]
    old, allowed, unwritten = Seen(0, "a", 1.3, 1.4, 1), Seen(1, "b", 1.15, 1.4, 1), Seen(2, "c", 0.3, 0.9, 2)

    found = check(writes, [old, allowed, unwritten], Options(3))
    late = check(writes, [old, old._replace(begin_s=9.0, end_s=9.1)], Options(2, with_notices=False, fresh_s=5))

    assert [each.split(":")[0] for each in found] == ["old", "unwritten"]
    assert len(late) == 1


@pytest.mark.timing
def test_while_the_source_is_away_every_process_answers_in_time_and_marks_what_is_old() -> None:
    report = outage.experiment(outage.Options(outage_s=3.5))

    assert report.violations == []
    assert report.facts["contexts meanwhile"] == report.facts["answered 200"]
    assert int(str(report.facts["with every document marked stale"])) > 20


def test_the_check_of_an_outage_finds_what_may_not_happen() -> None:
    good = outage.Read(0, 9.0, 0.1, 200, frozenset({1}), frozenset({True}), frozenset({"whole"}))
    wrong = {
        "refused": good._replace(status=503),
        "late": good._replace(begin_s=50.0, took_s=9.0),
        "left out": good._replace(statuses=frozenset({"whole", "unavailable"})),
        "another version": good._replace(versions=frozenset({1, 2})),
        "not marked": good._replace(stale=frozenset({True, False})),
    }

    assert [each.split(":")[0] for each in outage.check([good, *wrong.values()], 60.0)] == list(wrong)
    assert outage.check([good._replace(begin_s=1.0, stale=frozenset({False}))], 60.0) == []
