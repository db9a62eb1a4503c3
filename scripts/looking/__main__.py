"""
Look at conversations in the store, and at what a budget keeps of one, and why. Nothing is changed.

    scripts/look conv_…                                     its units as a bar by tokens, and its last items
    scripts/look conv_… --budget 8000 --model gpt-4o        what a context of that budget keeps; --format anthropic
    scripts/look --tenant acme                              its conversations: items, tokens, bytes, last use, expiry

A unit is what is kept or left out together. Colours and letters say what becomes of it: P the prompt's own tokens,
# pinned, = kept, D a document, s summarised, . omitted; the reasons are those of docs/contexts.md. Without --budget and
--model there is room for all. Output that goes to no terminal has no colours; --json prints all there is.

The store is the one that scripts/keys finds: of UPSTASH_REDIS_REST_URL/_TOKEN or KV_REST_API_URL/_TOKEN, else that of
the scripts/dev that started first and still runs.
"""

import argparse
import asyncio
import os
import sys
from typing import Any

import orjson
from rich.console import Console

from scripts.local.keys import store_environ
from scripts.looking.reading import Look, NothingThere, ReadingStore, caller_of, listed, looked_at, tenant_of
from scripts.looking.showing import show_list, show_look
from shared.context.render import FORMATS
from shared.context.wanted import PARAMETERS, TOKENS_MAX, ContextRequest, read_context_request
from shared.environment import read_settings
from shared.errors import InvalidValue, ServiceError
from shared.request.parameters import read_object
from shared.setting import EVERYTHING, ConfigError
from shared.tokens.encodings import ENCODINGS

LISTED, LISTED_MAX = 50, 10_000
TAIL, TAIL_MAX = 5, 1_000
PLAIN_CHARS = 160
"""How wide a line is where there is no terminal."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/look", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("conversation", nargs="?", help="the id of a conversation")
    parser.add_argument("--tenant", help="list the conversations of this tenant; with a conversation: whose it is")
    parser.add_argument("--budget", type=int, help="tokens that a context may count")
    parser.add_argument("--model", help="whose tokens are counted, and whose window is the budget without one")
    parser.add_argument("--encoding", choices=ENCODINGS, help="the tokens that are counted, without --model")
    parser.add_argument("--format", choices=FORMATS, default="chat", help="of the context (chat)")
    parser.add_argument("--tail", type=_number(TAIL_MAX), default=TAIL, metavar="N", help=f"last items shown ({TAIL})")
    parser.add_argument(
        "--limit", type=_number(LISTED_MAX), default=LISTED, metavar="N", help=f"conversations listed ({LISTED})"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _number(high: int) -> Any:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or int(text) > high:
            raise argparse.ArgumentTypeError(f"it goes from 0 to {high}")
        return int(text)

    return read


def _wanted(arguments: argparse.Namespace) -> ContextRequest:
    """Return what the options ask for. Raises InvalidValue, which names the option."""
    given = {"format": arguments.format, "explain": True}
    given |= {
        name: value for name in ("budget", "model", "encoding") if (value := getattr(arguments, name)) is not None
    }
    if not given.keys() & {"budget", "model"}:
        given["budget"] = TOKENS_MAX
    return read_context_request(read_object(PARAMETERS, given, "options"))


async def _run(arguments: argparse.Namespace, console: Console) -> None:
    settings = read_settings(store_environ(os.environ), only=EVERYTHING)
    store = ReadingStore(settings)
    try:
        if arguments.conversation is None:
            found = await listed(store, arguments.tenant, arguments.limit)
            if arguments.json:
                _print({"tenant": arguments.tenant, "conversations": [each._asdict() for each in found]})
            else:
                show_list(console, arguments.tenant, found)
            return
        wanted = _wanted(arguments)
        tenant = arguments.tenant or await tenant_of(store, arguments.conversation)
        caller = await caller_of(store, tenant)
        look = await looked_at(store, settings, caller, arguments.conversation, wanted)
        if arguments.json:
            _print(_as_json(look, arguments.tail))
        else:
            show_look(console, arguments.conversation, look, arguments.tail)
    finally:
        await store.close()


def _as_json(look: Look, tail: int) -> dict[str, Any]:
    items = look.snapshot.items[-tail:] if tail else ()
    facts = look.snapshot.header._asdict()
    user, agent = facts.pop("owners")
    return {
        "tenant": look.tenant,
        "conversation": {
            **facts,
            "metadata": orjson.loads(look.snapshot.header.metadata),
            "user": user or None,
            "agent": agent or None,
        },
        "context": look.context,
        "tail": [orjson.loads(item.body) for item in items],
    }


def _print(value: object) -> None:
    sys.stdout.write(f"{orjson.dumps(value).decode()}\n")


def main(argv: list[str] | None = None) -> int:
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.conversation is None and arguments.tenant is None:
        parser.error("name a conversation, or --tenant")
    console = Console(width=None if sys.stdout.isatty() else PLAIN_CHARS, highlight=False, emoji=False, markup=False)
    try:
        asyncio.run(_run(arguments, console))
    except InvalidValue as error:
        print(str(error).replace("options.", "--").replace("options: ", ""), file=sys.stderr)
        return 2
    except (ConfigError, NothingThere, ServiceError) as error:
        print(f"could not look: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
