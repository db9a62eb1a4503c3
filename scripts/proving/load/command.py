"""
Recorded traces are replayed open loop before a fleet of instances that live two minutes, and before the naive design.

Arrivals and lengths are those of the trace (Mooncake's JSON lines, or Azure's CSV of 2023); latency counts from when a
request was due. Prints a table, and writes all of it with --json: hits by tier beside what is possible at all, requests
and commands of the store, CPU seconds of instances, errors, lag beside the machine's own. Ctrl-C ends it; what was
measured until then is written, and says that it is not all.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from scripts.local.signals import INTERRUPTED
from scripts.proving.ending import until_stopped, write_json
from scripts.proving.load.facts import facts
from scripts.proving.load.plan import Options, short
from scripts.proving.progress import Lines

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "tests" / "data" / "mooncake_conversation_thirds.jsonl"
JOINED = ROOT / "tests" / "data" / "tau_airline_12.jsonl"
WRONG_ARGUMENTS = 2
ENDS_IN_ORDER = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--trace", type=Path, default=SHIPPED, help="a recorded trace; a small shipped one by default")
    parser.add_argument("--joined", type=Path, default=JOINED, metavar="FILE", help="dialogues that are joined")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn is drawn from it (1)")
    parser.add_argument(
        "--seconds", type=float, help="a short form of about so long; else 12, 6 and 4 minutes a design"
    )
    parser.add_argument("--speeds", metavar="SPEED:SECONDS", nargs="+", help="other stretches: 1:720 3:360 10:240")
    parser.add_argument("--budget", type=int, default=8_000, help="tokens of a context (8000)")
    parser.add_argument("--delay-ms", type=float, default=5, help="a round trip to the store (5)")
    parser.add_argument("--life", type=float, default=120, help="seconds of the trace that an instance lives (120)")
    parser.add_argument("--instances-max", type=int, default=4, help="the most at a time (4)")
    parser.add_argument("--no-saturation", action="store_true", help="leave out how much each design can take")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    live = parser.add_argument_group("against a deployment of your own")
    live.add_argument("--url", help="its address: nothing is started here, and there is no baseline")
    live.add_argument("--key", help="an API key of a tenant that is there for this")
    live.add_argument("--days", type=float, default=0.01, help="how long (0.01)")
    live.add_argument("--rate", type=float, default=1.0, help="requests a second on average, at most 20 (1)")
    live.add_argument("--yes", action="store_true", help="do not ask whether that is meant")


def run(arguments: argparse.Namespace) -> int:
    from scripts.proving.contexts.dialogues import DialogueError
    from scripts.proving.load.traces import TraceError, read_trace

    try:
        options = _options(arguments)
        trace = read_trace(arguments.trace)
        if arguments.url:
            return _run_live(arguments, trace, options)
        return _run_here(arguments, trace, options)
    except (TraceError, DialogueError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return WRONG_ARGUMENTS


def _options(arguments: argparse.Namespace) -> Options:
    """Raises ValueError: a stretch is not SPEED:SECONDS."""
    slices = None
    if arguments.speeds:
        pairs = [each.partition(":")[::2] for each in arguments.speeds]
        slices = {float(speed): float(seconds) for speed, seconds in pairs}
    options = Options(
        seed=arguments.seed,
        budget=arguments.budget,
        delay_s=arguments.delay_ms / 1_000,
        life_s=arguments.life,
        instances_max=arguments.instances_max,
        slices=slices,
    )
    return short(arguments.seconds, options) if arguments.seconds else options


def _run_here(arguments: argparse.Namespace, trace: list[Any], options: Options) -> int:
    from scripts.proving.contexts.dialogues import read_dialogues
    from scripts.proving.load.experiment import Experiment
    from scripts.proving.load.show import show
    from scripts.proving.load.texts import recorded

    dialogues = read_dialogues(arguments.joined)
    experiment = Experiment(trace, recorded(), options, Lines())
    began = facts()
    is_whole = until_stopped(experiment.run(dialogues, is_searched=not arguments.no_saturation))
    document = {"kind": "load", "is_whole": is_whole, "trace": arguments.trace.name, **began, **experiment.result()}
    write_json(arguments.json, document)
    print(show(document))
    return 0 if is_whole else INTERRUPTED


def _run_live(arguments: argparse.Namespace, trace: list[Any], options: Options) -> int:
    from scripts.proving.load.live import Live, checked
    from scripts.proving.load.show import show
    from scripts.proving.load.texts import recorded

    plan = checked(arguments.url, arguments.key, arguments.days, arguments.rate)
    if not arguments.yes:
        print(plan.asks(), file=sys.stderr)
        if input("Type yes to go on: ").strip() != "yes":
            print("nothing was sent", file=sys.stderr)
            return WRONG_ARGUMENTS
    live = Live(plan, trace, recorded(), options, Lines())
    began = facts()

    def document(*, is_whole: bool) -> dict[str, Any]:
        return {"kind": "load", "is_whole": is_whole, "trace": arguments.trace.name, **began, **live.result()}

    live.save = lambda: write_json(arguments.json, document(is_whole=False))
    is_whole = until_stopped(live.run())
    write_json(arguments.json, found := document(is_whole=is_whole))
    print(show(found))
    return 0 if is_whole else INTERRUPTED
