"""The load against real instances: what it counts is what they did, and Ctrl-C ends it with what there is."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from scripts.platform.fleet import Fleet
from scripts.proving.contexts.dialogues import read_dialogues
from scripts.proving.load.figures import Measured, figures
from scripts.proving.load.joined import joined_schedule
from scripts.proving.load.live import Live, checked
from scripts.proving.load.measuring import measure
from scripts.proving.load.openloop import OpenLoop
from scripts.proving.load.plan import NAIVE, OURS, SESSIONS, Options, deployment, fleet_settings
from scripts.proving.load.schedule import Mix, Step, schedule
from scripts.proving.load.texts import recorded
from scripts.proving.load.traces import Arrival, read_trace
from scripts.proving.load.wire import Wire
from tests.processes import left, start

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[1]
WIRE = Wire(recorded(), 2_000)
TURNS = [Arrival(at_s, 600 + 300 * turn, 40, 0, turn) for turn, at_s in enumerate((0.0, 6.0, 12.0))]
STEPS = schedule(TURNS, 10.0, 1, Mix(reread_share=1, document_share=0))
END_S = 20.0


def fleet_of(design: str, folder: Path) -> Fleet:
    return Fleet(deployment(design, 10.0, folder), fleet_settings(Options(instances_max=2), 10.0, lives=False))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    fleet = fleet_of(OURS, tmp_path_factory.mktemp("documents"))
    fleet.start()
    yield fleet
    fleet.stop()


@pytest.fixture(scope="module")
def measured(fleet: Fleet) -> Measured:
    return asyncio.run(measure(fleet, STEPS, WIRE, is_naive=False, flush_s=1))


def test_every_request_of_the_schedule_is_answered_and_counted(measured: Measured) -> None:
    found = figures(measured)

    assert (found["requests"], found["errors"], found["skipped"], found["unanswered"]) == (len(STEPS), 0, 0, 0)
    assert found["hits"]["continuing_turns"] == 2
    assert found["hits"]["l1_of_ceiling"] == 1
    assert found["latency_ms"]["by_kind"]["reread"]["count"] == 3
    assert found["cold_starts"] == sum(each.is_cold for each in measured.answers) > 0
    assert 0 < found["context_tokens"] <= 3 * 2_000


def test_what_the_store_and_the_instances_spent_is_told(measured: Measured) -> None:
    found = figures(measured)

    assert found["store"]["commands"] > found["store"]["requests"] >= len(STEPS) - 3  # Of 3 nothing may be asked.
    assert found["instances"]["cpu_s"] > 0
    assert found["lag"]["loop"]["looks"] > 0
    assert found["lag"]["machine"]["looks"] > 100


def test_who_waits_for_an_answer_that_is_late_is_late(fleet: Fleet) -> None:
    steps = [Step(0.0, "create", 0, 0, STEPS[0].pieces)]
    steps += [Step(0.05 + 0.01 * turn, "turn", 0, turn, STEPS[1].pieces) for turn in range(3)]
    loop = OpenLoop(fleet.url, fleet.key, WIRE, steps)
    fleet.network.delay_s = 0.3
    asyncio.run(loop.run())
    fleet.network.delay_s = 0.0
    latencies_ms = [each.latency_ms for each in loop.answers]

    # One after the other, as a conversation goes; each was due at once, so the last one waited for all.
    assert [each.status for each in loop.answers] == [200] * 4
    assert latencies_ms == sorted(latencies_ms)
    assert latencies_ms[-1] > 4 * 300 - 70


def test_a_deployment_that_runs_is_loaded_at_a_bounded_rate(fleet: Fleet) -> None:
    trace = read_trace(ROOT / "tests" / "data" / "mooncake_conversation_thirds.jsonl")
    plan = checked(fleet.url, fleet.key, 3 / 86_400, 10)
    live = Live(plan, trace, recorded(), Options(), lambda *_: None)
    asyncio.run(live.run())
    found = live.result()["speeds"]["live"]["designs"][OURS]

    assert found["statuses"].keys() == {"200"}
    assert 1 <= found["requests"] <= 60
    assert "10 a second" in plan.asks()


@pytest.mark.parametrize(
    ("url", "key", "days", "rate", "said"),
    [
        ("https://staging.example.com", None, 1, 1, "--key"),
        ("http://staging.example.com", "wt_a_b", 1, 1, "HTTPS"),
        ("http://127.0.0.1.example.com", "wt_a_b", 1, 1, "HTTPS"),
        ("ftp://staging.example.com", "wt_a_b", 1, 1, "address"),
        ("https://staging.example.com", "wt_a_b", 1, 21, "--rate"),
        ("https://staging.example.com", "wt_a_b", 32, 1, "--days"),
    ],
)
def test_a_load_that_nobody_should_send_is_refused(
    url: str, key: str | None, days: float, rate: float, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        checked(url, key, days, rate)


def test_the_baseline_forgets_with_its_instances(tmp_path: Path) -> None:
    # The third turn comes late enough for the instance to be gone, on a machine with other work as well.
    steps = [each._replace(at_s=each.at_s + 5.0 * (each.turn == 2)) for each in STEPS]

    async def run() -> OpenLoop:
        async with fleet_of(NAIVE, tmp_path) as fleet:
            loop = OpenLoop(fleet.url, fleet.key, WIRE, steps, is_naive=True)
            running = asyncio.create_task(loop.run())
            # Both rereads as well: where one finds nothing, all is sent again, and is there for the third turn.
            wanted = Counter(reply=2, reread=2)
            while not (told := Counter(each.kind for each in loop.answers)) >= wanted:  # noqa: ASYNC110 - it tells no one.
                await asyncio.sleep(0.01)
            known = {instance.pid for instance in await fleet.state()}
            for pid in known:
                fleet.control.end(pid)
            while known & {instance.pid for instance in await fleet.state()}:  # noqa: ASYNC110 - nor does the fleet.
                await asyncio.sleep(0.05)
            assert told["turn"] == 2
            await running
            return loop

    loop = asyncio.run(run())
    turns = [each for each in loop.answers if each.kind == "turn"]

    assert {each.status for each in loop.answers} == {200}
    assert [each.tier for each in turns] == ["right", "right", "missing"]
    # All of what was said is sent again, and counted.
    assert turns[2].used is not None
    assert turns[2].used.tokens > TURNS[2].input_tokens


def test_conversations_that_began_long_are_counted_as_they_are_stored(tmp_path: Path) -> None:
    dialogues = read_dialogues(Path(__file__).parent / "data" / "tau_airline_12.jsonl")
    # Some of the messages are empty, and some both say something and call: one item, and two.
    steps = joined_schedule(dialogues, 6, 6, 1, at_once=4, length=12, begun=150)

    async def run() -> OpenLoop:
        async with fleet_of(OURS, tmp_path) as fleet:
            await (loop := OpenLoop(fleet.url, fleet.key, WIRE, steps)).run()
            return loop

    loop = asyncio.run(run())
    turns = [each for each in loop.answers if each.kind == "turn"]

    assert {each.status for each in loop.answers} == {200}
    assert turns
    assert not [each for each in turns if each.tier == "wrong"]


def test_a_store_of_sessions_loses_no_history_and_sends_all_of_it(tmp_path: Path) -> None:
    async def run() -> OpenLoop:
        async with fleet_of(SESSIONS, tmp_path) as fleet:
            await (first := OpenLoop(fleet.url, fleet.key, WIRE, STEPS, is_naive=True)).run()
            assert fleet.store.requests == len(STEPS)
            return first

    loop = asyncio.run(run())
    turns = [each for each in loop.answers if each.kind == "turn"]

    assert {each.status for each in loop.answers} == {200}
    assert [each.tier for each in turns] == ["right"] * 3
    assert turns[2].used is not None
    assert turns[2].used.tokens > TURNS[2].input_tokens


def test_ctrl_c_leaves_no_process_and_what_was_measured(tmp_path: Path) -> None:
    out = tmp_path / "load.json"
    process = start(tmp_path, "scripts.proving", "load", "--speeds", "10:60", "--json", str(out))
    assert process.stderr is not None
    assert "speed 10" in process.stderr.readline()
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=END_S)
    document = orjson.loads(out.read_bytes())

    assert process.returncode == 130
    assert document["is_whole"] is False
    assert document["stretches"][0]["is_whole"] is False
    assert said.startswith("NOT WHOLE")
    assert left(tmp_path) == []
