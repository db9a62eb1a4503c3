"""What happens to a fleet, and who answers a request, is drawn from its seed and from nothing else."""

import statistics
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scripts.platform.client import as_json, deployment_of
from scripts.platform.rollout import CLIENT_HEADER, COOKIE, Rollout, UnknownDeployment
from scripts.platform.schedule import STAGES, life_s, lines, schedule
from scripts.platform.settings import Deployment, FleetSettings
from tests.examples import examples

EVERYTHING = FleetSettings(seed=7, seconds=3_600, life_s=120, kill_every_s=60, fault_every_s=45, roll_every_s=900)
OLD, NEW, NEWEST = (Deployment(name) for name in ("dpl_old", "dpl_new", "dpl_newest"))


@settings(max_examples=examples(100), deadline=None)
@given(st.integers(), st.floats(20, 600), st.floats(20, 600))
def test_the_same_settings_make_the_same_schedule_in_order(seed: int, kills_s: float, faults_s: float) -> None:
    planned_by = replace(EVERYTHING, seconds=900, seed=seed, kill_every_s=kills_s, fault_every_s=faults_s)
    planned = schedule(planned_by)

    assert planned == schedule(replace(planned_by))
    assert lines(planned_by) == lines(replace(planned_by))
    assert [each.at_s for each in planned] == sorted(each.at_s for each in planned)
    assert all(0 <= each.at_s < planned_by.seconds + planned_by.fault_s for each in planned)


def test_another_seed_makes_another_and_what_is_drawn_for_one_thing_moves_nothing_else() -> None:
    other = schedule(replace(EVERYTHING, seed=8))
    without_kills = schedule(replace(EVERYTHING, kill_every_s=0))

    assert other != schedule(EVERYTHING)
    assert without_kills == [each for each in schedule(EVERYTHING) if each.kind != "kill"]


def test_moments_are_as_far_apart_as_the_settings_say_and_faults_do_not_overlap() -> None:
    planned = schedule(replace(EVERYTHING, seconds=50_000))
    kinds = Counter(each.kind for each in planned)
    faults = [each for each in planned if each.kind.startswith("fault")]

    assert kinds["kill"] == pytest.approx(50_000 / 60, rel=0.15)
    assert kinds["fault"] == kinds["fault ends"] == pytest.approx(50_000 / (45 + 2), rel=0.15)
    assert [each.kind for each in faults[:4]] == ["fault", "fault ends", "fault", "fault ends"]
    assert [each.value for each in planned if each.name == "dpl_2"] == list(STAGES)


def test_lives_are_exponential_with_the_mean_that_is_set_and_each_has_its_own() -> None:
    lives = [life_s(EVERYTHING, f"dpl_first/api/usage#{number}") or 0 for number in range(4_000)]

    assert statistics.mean(lives) == pytest.approx(120, rel=0.1)
    assert statistics.median(lives) == pytest.approx(83, rel=0.1)
    assert len(set(lives)) == len(lives)
    assert life_s(replace(EVERYTHING, life_s=0), "dpl_first/api/usage#1") is None


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.tuples(st.sampled_from((OLD, NEW, NEWEST)), st.floats(0, 1)), max_size=8))
@example([(NEW, 1 - 2**-53), (OLD, 5e-324), (NEWEST, 0.5)])
@example([(NEW, 0.5), (OLD, 5e-324), (NEW, 0.5)])
def test_shares_always_sum_to_one_and_who_has_none_is_told_of_once(rolls: list[tuple[Deployment, float]]) -> None:
    rollout = Rollout(OLD, "request", 1)
    for deployment, share in rolls:
        before = set(rollout.shares)
        try:
            over = rollout.give(deployment, share)
        except ValueError:
            assert before == set(rollout.shares)
            continue

        assert sum(rollout.shares.values()) == pytest.approx(1)
        assert set(over) == (before | {deployment.name}) - set(rollout.shares)
        assert set(rollout.deployments) == set(rollout.shares)
        assert rollout.choose({}, "", "client").deployment.name in rollout.shares


def test_requests_are_split_by_share_and_clients_for_good() -> None:
    by_request, by_client = Rollout(OLD, "request", 1), Rollout(OLD, "client", 1)
    for rollout in (by_request, by_client):
        assert rollout.give(NEW, 0.25) == []
    drawn = [by_request.choose({}, "", "same").deployment.name for _ in range(4_000)]
    clients = [{CLIENT_HEADER: b"%d" % number} for number in range(2_000)]
    first = [by_client.choose(client, "", "").deployment.name for client in clients]
    by_client.give(NEW, 0.5)
    later = [by_client.choose(client, "", "").deployment.name for client in clients]

    assert drawn.count("dpl_new") == pytest.approx(1_000, rel=0.1)
    assert first.count("dpl_new") == pytest.approx(500, rel=0.1)
    assert later.count("dpl_new") == pytest.approx(1_000, rel=0.1)
    assert all(after == "dpl_new" for before, after in zip(first, later, strict=True) if before == "dpl_new")


def test_a_cookie_counts_while_its_deployment_has_requests_and_force_counts_more() -> None:
    rollout = Rollout(OLD, "request", 1)
    cookie = {b"cookie": f"a=b; {COOKIE}=dpl_new".encode()}
    assert rollout.choose(cookie, "vcrrForceCanary=true", "") == (OLD, "")
    rollout.give(NEW, 0.01)
    assert {rollout.choose(cookie, "", "").deployment.name for _ in range(50)} == {"dpl_new"}
    assert rollout.choose(cookie, "x=1&vcrrForceStable=true", "").deployment.name == "dpl_old"
    assert rollout.choose({}, "vcrrForceCanary=true", "").cookie == "dpl_new"
    assert rollout.give(OLD, 1.0) == ["dpl_new"]
    assert rollout.choose(cookie, "", "") == (OLD, "")

    with pytest.raises(UnknownDeployment, match="dpl_new"):
        rollout.choose({b"x-fleet-deployment": b"dpl_new"}, "", "")


def test_a_deployment_travels_whole() -> None:
    deployment = replace(NEW, environment={"A": "1"}, prelude="some.module", built=Path("/project/.vercel/output"))

    assert deployment_of(as_json(deployment)) == deployment
