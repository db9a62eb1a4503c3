"""
Serve a project with two deployments here, and a fake of Vercel's API over it, to try a release without an account.

Real instances of this repository run behind a router, with a store of their own; with --fault the canary is a bad one.
Prints what the environment of `scripts/canary run` has to be, and the command. Runs until Ctrl-C, or for --seconds.
"""

import argparse
import asyncio
import contextlib
import sys

from scripts.local.signals import Stop

ENDS_IN_ORDER = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from scripts.releasing.faulty import FAULTS

    parser.add_argument("--port", type=int, default=3100, metavar="N", help="of the API (3100; 0: any free one)")
    parser.add_argument("--fault", choices=FAULTS, default="", help="what is wrong with the canary (nothing)")
    parser.add_argument("--seconds", type=float, default=0.0, metavar="N", help="how long (0: until Ctrl-C)")


def run(arguments: argparse.Namespace) -> int:
    stop = Stop()
    # Imported late: a signal that comes meanwhile is noted already.
    from scripts.local.valkey import ValkeyError
    from scripts.platform.fleet import FleetError

    try:
        asyncio.run(_serve(arguments, stop))
    except (FleetError, ValkeyError, OSError) as error:
        print(f"could not start: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(arguments: argparse.Namespace, stop: Stop) -> None:
    from scripts.platform.settings import FleetSettings
    from scripts.releasing.fake.project import CANARY, LocalProject
    from scripts.releasing.faulty import faulty

    loop, wished = asyncio.get_running_loop(), asyncio.Event()

    def end() -> None:
        loop.call_soon_threadsafe(wished.set)

    stop.tell(end)
    async with LocalProject(faulty(arguments.fault), FleetSettings(), port=arguments.port) as project:
        told = [f"export {name}={value}" for name, value in project.environment.items()]
        command = f"scripts/canary run --canary {CANARY} --url {project.url} --api {project.api_url}"
        print("\n".join([*told, "", command, "", "Ctrl-C ends it."]), flush=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(arguments.seconds or None):
                await wished.wait()
