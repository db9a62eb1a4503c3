"""
Export conversations, import them under another tenant, and compare every read: of recorded dialogues, in each API's
messages, and of drawn logs with every kind of entry. Exits with 1 when one differs.
"""

import argparse
import contextlib
import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx

from scripts.proving.borders.conversation import Conversation
from scripts.proving.borders.drawing import SOURCES, Drawn, draw
from scripts.proving.borders.law import batches, in_each
from scripts.proving.contexts.dialogues import DialogueError, read_dialogues
from scripts.proving.exports.copying import Broken, differences, make, pages, restore

ROOT = Path(__file__).parents[3]
MESSAGES = 40
"""An append takes so many messages of a dialogue here: at most 100 items are made of them."""

SHOWN = 20


def run(arguments: argparse.Namespace) -> int:
    try:
        recorded = [each.messages for path in arguments.dialogues for each in read_dialogues(path)]
    except (DialogueError, OSError) as exc:
        print(f"could not read the conversations: {exc}", file=sys.stderr)
        return 2
    with clients() as (source, copy):
        found = survey(source, copy, [*of_recorded(recorded)], arguments.logs, arguments.seed)
    total = found["exported"]
    print(f"{total:,} conversations exported and imported, {found['not taken']:,} drawn of which nothing was taken")
    for what, count in sorted(found.items()):
        if what not in ("exported", "not taken"):
            print(f"differs: {what}: {count:,}")
    differing = total + found["not taken"] != found.total()
    print(f"{'some' if differing else 'none'} of their reads differ")
    return int(differing or not total)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dialogues",
        nargs="*",
        type=Path,
        default=[ROOT / "tests/data/tau_airline_12.jsonl", ROOT / "tests/data/swe_agent_marshmallow_1867.jsonl"],
        help="JSON lines, each a conversation in Chat Completions messages; the shipped ones if none is given",
    )
    parser.add_argument("--logs", type=int, default=1_000, metavar="N", help="how many logs are drawn (1,000)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="what they are drawn from (0)")


def of_recorded(dialogues: Iterable[list[dict[str, Any]]]) -> Iterator[Conversation]:
    """Yield recorded dialogues as they are appended, each in the messages of each API."""
    for messages in dialogues:
        for dialogue in in_each(messages):
            yield Conversation(batches(dialogue, range(MESSAGES, len(dialogue.messages), MESSAGES)))


def survey(
    source: httpx.Client, copy: httpx.Client, recorded: Iterable[Conversation], logs: int, seed: int
) -> Counter[str]:
    """Return how many conversations were exported, how many could not be made, and how many differ, by what."""
    found: Counter[str] = Counter()
    dice = random.Random(seed)  # noqa: S311 - draws changes, keeps no secret.

    def take(conversation: Conversation) -> None:
        found.update(outcome(source, copy, conversation, dice))
        done = found["exported"] + found["not taken"]
        if sys.stderr.isatty():
            print(f"\r{done:,}", end="", file=sys.stderr, flush=True)

    for each in recorded:
        take(each)
    shares = [logs // len(SOURCES) + (at < logs % len(SOURCES)) for at in range(len(SOURCES))]
    for name, share in zip(SOURCES, shares, strict=True):

        def take_drawn(drawn: Drawn) -> None:
            take(drawn.conversation)

        if share:
            draw(name, seed, share, take_drawn)
    return found


def outcome(source: httpx.Client, copy: httpx.Client, conversation: Conversation, dice: random.Random) -> list[str]:
    """Return what came of one: `exported` or `not taken`, and each read that differs."""
    try:
        made = make(source, conversation, dice)
        if made is None:
            return ["not taken"]
        exported = pages(source, made.id)
        restore(copy, exported)
        found = ["exported", *differences(source, copy, made, exported)]
    except Broken as error:
        return ["exported", str(error)[:300]]
    for each in (source, copy):
        each.delete(f"/v1/conversations/{made.id}")
    return found


@contextlib.contextmanager
def clients() -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Clients of two tenants of an instance of its own, on a store of its own."""
    from scripts.local.mint import mint
    from scripts.local.upstash import LocalUpstash
    from scripts.proving.fleet import environment_without_store, running_instances
    from shared.request.caller import make_key

    with contextlib.ExitStack() as stack:
        upstash = stack.enter_context(LocalUpstash())
        environment = environment_without_store()
        environment |= {"UPSTASH_REDIS_REST_URL": upstash.url, "UPSTASH_REDIS_REST_TOKEN": upstash.token}
        [instance] = stack.enter_context(running_instances(1, environment))
        found = []
        for tenant in ("original", "copy"):
            key = make_key(tenant)
            mint(upstash.url, upstash.token, key)
            headers = {"authorization": f"Bearer {key}"}
            found.append(stack.enter_context(httpx.Client(base_url=instance.url, headers=headers, timeout=60)))
        yield found[0], found[1]
