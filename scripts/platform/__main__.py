"""
Run real instances of the functions, each in a process under Vercel's launcher, behind a router that starts, suspends,
ends and rolls them as the platform does, in front of a store that is reached over a network of your choice.

    scripts/fleet --delay-ms 5 --life 120 --instances-max 4    prints an address, a key and a curl line
    scripts/fleet --seed 1 --kill-every 30 --print-schedule    what would happen, and when

Runs until Ctrl-C, or for --seconds. What it does not model is in docs/validation.md.
"""

import argparse
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from scripts.local.signals import Stop
from scripts.platform.settings import Deployment, FleetSettings

if TYPE_CHECKING:
    from scripts.platform.fleet import Fleet

PLAIN_EVERY_S = 5.0
LIVE_EVERY_S = 0.5


class Option(NamedTuple):
    """What sets a field of the settings; *unit*: what one of the argument is of the field's, 0 for words."""

    field: str
    text: str
    unit: float = 1
    choices: tuple[str, ...] = ()


OPTIONS = {
    "--seed": Option("seed", "of all that is drawn"),
    "--concurrency": Option("concurrency", "requests that an instance gets at a time"),
    "--instances-min": Option("instances_min", "of a function, before a request goes to one that runs"),
    "--instances-max": Option("instances_max", "of a function"),
    "--routing": Option("routing", "to which instance that has room", 0, ("least", "random")),
    "--bucketing": Option("bucketing", "how a roll splits callers", 0, ("request", "client")),
    "--life": Option("life_s", "seconds that an instance lives on average; 0: for ever"),
    "--idle": Option("idle_s", "seconds without a request until an instance ends"),
    "--suspend-after": Option("suspend_after_s", "seconds without one until it is suspended; -1: never"),
    "--delay-ms": Option("delay_s", "round trip to the store", 0.001),
    "--jitter-ms": Option("jitter_s", "what is added to it on average", 0.001),
    "--bandwidth": Option("bandwidth_bytes_s", "bytes a second to the store and back; 0: no limit"),
    "--kill-every": Option("kill_every_s", "seconds on average until an instance is killed; 0: never"),
    "--fault-every": Option("fault_every_s", "seconds on average until the store misbehaves; 0: never"),
    "--fault": Option("fault_s", "seconds that it does"),
    "--roll-every": Option("roll_every_s", "seconds until a new deployment is rolled over the old; 0: never"),
}
BODY = '{"items":[{"role":"user","content":"Hello"}]}'


def main() -> int:
    arguments = _arguments()
    settings, stop = _settings(arguments), Stop()
    # Imported late: --help has to work on a machine where nothing is installed yet.
    from scripts.local.valkey import ValkeyError
    from scripts.platform.fleet import Fleet, FleetError
    from scripts.platform.schedule import lines

    if arguments.print_schedule:
        print("\n".join(lines(settings)))
        return 0
    if stop.requested:
        return 0
    fleet = Fleet(Deployment(), settings)
    try:
        fleet.start()
    except (FleetError, OSError, ValkeyError) as error:
        print(f"could not start: {error}", file=sys.stderr)
        return 1
    try:
        print(_announcement(fleet.url, fleet.control.url, fleet.key), flush=True)
        _watch(fleet, stop, time.monotonic() + arguments.seconds if arguments.seconds else float("inf"))
    finally:
        fleet.stop()
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/fleet", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for flag, option in OPTIONS.items():
        default = getattr(FleetSettings(), option.field) / option.unit if option.unit else None
        kind = int if isinstance(getattr(FleetSettings(), option.field), int) else float
        text = option.text if default is None else f"{option.text} ({default:g})"
        if option.choices:
            parser.add_argument(flag, choices=option.choices, help=f"{option.text} ({option.choices[0]})")
        else:
            parser.add_argument(flag, type=kind, metavar="N", help=text)
    parser.add_argument("--port", type=int, default=3000, metavar="N", help="of the router (3000; 0: any free one)")
    parser.add_argument(
        "--seconds", type=float, default=0.0, metavar="N", help="how long (0: until Ctrl-C; what is drawn, for an hour)"
    )
    parser.add_argument("--print-schedule", action="store_true", help="print what would happen, and end")
    return parser.parse_args()


def _settings(given: argparse.Namespace) -> FleetSettings:
    """Raises TypeError, which no argument leads to."""
    values = {}
    for flag, option in OPTIONS.items():
        if (value := getattr(given, flag[2:].replace("-", "_"))) is not None:
            values[option.field] = value if option.unit in (0, 1) else value * option.unit
    settings = replace(FleetSettings(), port=given.port, **values)
    return replace(settings, seconds=given.seconds) if given.seconds else settings


def _watch(fleet: "Fleet", stop: Stop, until_s: float) -> None:
    """Show what the fleet is, until *stop* is wished or *until_s*: a line that changes, or one now and then."""
    from rich.console import Console
    from rich.live import Live

    console, shown_at_s = Console(), 0.0
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while not stop.requested and (now_s := time.monotonic()) < until_s:
            line = _line(fleet)
            if console.is_terminal:
                live.update(line, refresh=True)
            elif now_s - shown_at_s > PLAIN_EVERY_S:
                print(line, flush=True)
                shown_at_s = now_s
            stop.wait_for(min(LIVE_EVERY_S, max(0.0, until_s - now_s)))


def _line(fleet: "Fleet") -> str:
    counts, store, instances = fleet.counts, fleet.store, fleet.control.state()
    asleep = sum(each.suspended for each in instances)
    megabytes = sum(each.resident_bytes for each in instances) / 1e6
    cpu_s = counts.ended_cpu_s + sum(each.cpu_s for each in instances)
    return (
        f"{counts.requests:,} requests, {store.requests:,} to the store; {len(instances)} instances, {asleep} asleep, "
        f"{megabytes:,.0f} MB, {cpu_s:,.1f} s of CPU; {counts.cold_starts} cold starts, {counts.ended} ended, "
        f"{counts.killed} killed, {counts.crashed} crashed, {counts.bad_gateways} answers of 502"
    )


def _announcement(url: str, control: str, key: str) -> str:
    return (
        f"The fleet is at {url}\nAPI key: {key}\nControl: {control}\n\n"
        f'curl -si {url}/v1/conversations -H "Authorization: Bearer {key}" '
        f"-H \"Content-Type: application/json\" -d '{BODY}'\n\nCtrl-C ends it."
    )


if __name__ == "__main__":
    sys.exit(main())
