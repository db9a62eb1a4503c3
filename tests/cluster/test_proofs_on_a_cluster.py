"""Short forms of `scripts/prove coherence` and `budgets` on a cluster whose primaries die and hand over slots."""

import argparse

import pytest

from scripts.proving.budgets import command as budgets
from scripts.proving.changes import AS_A_WHOLE, BY_KEYS, CLUSTER, KILLED
from scripts.proving.coherence.experiment import experiment
from scripts.proving.coherence.run import Options

pytestmark = pytest.mark.timing

OPERATIONS = 400


def test_no_read_is_old_and_nothing_is_lost_or_doubled() -> None:
    report = experiment(Options(OPERATIONS, idempotency=True, store=CLUSTER))

    assert report.violations == []
    assert (report.facts[KILLED], report.facts[AS_A_WHOLE]) == (2, 2)
    assert int(str(report.facts[BY_KEYS])) > 0
    assert report.outcomes["append ok"] > OPERATIONS / 10


def test_the_books_are_right(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = argparse.Namespace(operations=OPERATIONS, processes=2, halfway=False, store=CLUSTER)
    assert budgets.run(arguments) == 0

    said = capsys.readouterr().out
    assert KILLED in said
    assert "The books are right." in said


def test_faults_of_an_http_store_are_not_asked_of_a_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    assert budgets.run(argparse.Namespace(operations=1, processes=1, halfway=True, store=CLUSTER)) == 2
    assert "HTTP" in capsys.readouterr().err
