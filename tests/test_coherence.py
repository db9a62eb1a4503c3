"""
Four instances in processes of their own, two writers and two readers, one conversation: what they saw fits one log.

Short forms of `scripts/prove coherence`; the checker has its own tests (tests/test_history.py).
"""

import httpx
import pytest

from scripts.proving.coherence.experiment import KILLS_AT, experiment
from scripts.proving.coherence.run import Options
from scripts.proving.fleet import Instance, running_fleet

pytestmark = pytest.mark.unmeasured

OPERATIONS = 300


class Interruption(Exception):
    """What a pulse raises."""


def test_a_batch_sent_again_with_its_key_is_stored_once_and_killed_instances_lose_nothing() -> None:
    report = experiment(Options(OPERATIONS, kill=True, idempotency=True))

    assert report.violations == []
    assert report.facts["kills"] == len(KILLS_AT)


def test_a_batch_that_an_openai_client_sends_again_is_stored_once_while_it_is_the_tail() -> None:
    report = experiment(Options(OPERATIONS, retries=True))

    assert report.violations == []


def test_scripts_that_end_half_way_leave_nothing_half_done() -> None:
    report = experiment(Options(OPERATIONS, idempotency=True, halfway=True))

    assert report.violations == []
    assert int(str(report.facts["scripts ended half-way"])) > OPERATIONS / 100


def test_no_read_is_older_than_what_was_acknowledged_though_an_instance_was_stopped_for_a_while() -> None:
    report = experiment(Options(OPERATIONS, suspend_s=1.5))

    assert report.violations == []
    assert report.outcomes["append ok"] > OPERATIONS / 10


def test_a_run_that_ends_early_leaves_no_process_behind() -> None:
    instances: list[Instance] = []

    def fail_with_one_of_them_stopped() -> None:
        with running_fleet(2) as fleet:
            instances.extend(fleet.instances)
            fleet.instances[1].suspend()
            raise Interruption

    def interrupt(begun: int) -> None:
        if begun > OPERATIONS / 2:
            raise Interruption

    with pytest.raises(Interruption):
        fail_with_one_of_them_stopped()
    with pytest.raises(Interruption):
        experiment(Options(OPERATIONS), interrupt)

    for instance in instances:
        with pytest.raises(httpx.ConnectError):
            httpx.get(instance.url)


def test_an_instance_ends_with_the_process_that_started_it() -> None:
    with running_fleet(1) as fleet:
        assert fleet.instances[0].abandon() == 0
