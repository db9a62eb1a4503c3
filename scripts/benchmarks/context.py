"""
Choosing a context from one long conversation, beside the trimmers of other libraries.

The conversation is recorded: customer service with tool calls, 12 dialogues joined to one of 367 messages and
39,000 tokens. Each contender trims it to the budget in this process. Its result is then counted by the token
rule and held against the promises. Encodes are counted in a run that is not timed. Then the same choice in each of our
formats: folding the log, choosing, rendering, and rendering again what was kept of that.
"""

import argparse
import importlib
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from scripts.measuring import environment

if TYPE_CHECKING:
    from shared.items.item import Item

Message = dict[str, Any]
SHIPPED = environment.ROOT / "tests" / "data" / "tau_airline_12.jsonl"


class Contender(NamedTuple):
    """*trim* is what is timed; *read* turns its result into chat messages."""

    name: str
    trim: Callable[[], Any]
    read: Callable[[Any], list[Message]]
    repeats: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dialogues", type=Path, default=SHIPPED, help="JSON lines of {id, messages}, all joined")
    parser.add_argument("--budget", type=int, default=8000, metavar="TOKENS", help="tokens to trim to (8000)")
    parser.add_argument("--repeats", type=int, default=20, help="timed runs of each peer (20); ours run 20 times more")


def run(arguments: argparse.Namespace) -> int:
    environment.enter()

    import orjson

    from scripts.proving.contexts.dialogues import read_dialogues, to_items, to_log
    from scripts.proving.contexts.promises import broken_promises, recount
    from scripts.proving.contexts.real_tokens import real_count
    from shared.context.fit import Selection, fit
    from shared.context.render import FORMATS, render
    from shared.context.units import fold

    messages = joined([dialogue.messages for dialogue in read_dialogues(arguments.dialogues)])
    log = to_log(to_items(messages), real_count)
    folded = fold(log)

    def read_selection(selection: Selection) -> list[Message]:
        return list(orjson.loads(render("chat", selection).members["messages"]))

    def choose_and_render() -> list[Message]:
        return read_selection(fit(fold(log), arguments.budget))

    many = arguments.repeats * 20
    ours = [
        Contender("warmthread: choosing", lambda: fit(folded, arguments.budget), read_selection, many),
        Contender(
            "warmthread: choosing, stable prefix", lambda: fit(folded, arguments.budget, True), read_selection, many
        ),
        Contender("warmthread: folding, choosing, rendering", choose_and_render, list, many),
    ]
    print(f"{len(messages)} messages, {fit(folded, 10**9).tokens:,} tokens, to {arguments.budget:,}")
    print(f"{'':<42}{'median ms':>10}{'encodes':>9}{'tokens':>8}  broken promises")
    sources: list[Callable[[], list[Contender]]] = [
        lambda: ours,
        lambda: _langchain(messages, arguments),
        lambda: _litellm(messages, arguments),
    ]
    for source in sources:
        try:
            contenders = source()
        except ImportError as error:
            print(f"not installed, so not measured: {error.name}")
            continue
        for contender in contenders:
            with _counted_encodes() as encodes:
                result = contender.read(contender.trim())
                encodes_count = len(encodes)
            chat = [{"content": None, **message} for message in result]
            tokens = recount(chat, real_count)
            members = {"messages": orjson.dumps(chat)}
            broken = broken_promises(log, arguments.budget, tokens, "chat", members)
            print(
                f"{contender.name:<42}{_median_ms(contender):>10.3f}{encodes_count:>9,}{tokens:>8,}"
                f"  {', '.join(sorted(broken)) or 'none'}"
            )
    print(
        f"\n{'median ms':<12}{'folding':>9}{'choosing':>10}{'rendering':>11}{'again':>8}{'tokens':>8}  broken promises"
    )
    for name in FORMATS:
        print(_format_line(name, log, arguments))
    return 0


def _format_line(name: str, log: "Sequence[Item]", arguments: argparse.Namespace) -> str:
    """Return what a context in the format *name* takes, step by step."""
    from scripts.proving.contexts.dialogues import folded
    from scripts.proving.contexts.promises import broken_promises
    from scripts.proving.providers.by_format import faults_of
    from shared.context.fit import fit
    from shared.context.render import render

    fold, budget = folded(log, name), arguments.budget
    chosen = fit(fold, budget)
    made = render(name, chosen)
    steps: dict[str, Callable[[], Any]] = {
        "folding": lambda: folded(log, name),
        "choosing": lambda: fit(fold, budget),
        "rendering": lambda: render(name, chosen),
        "again": lambda: render(name, chosen, made.forms),
    }
    times_ms = [_median_ms(Contender(step, run, list, arguments.repeats * 20)) for step, run in steps.items()]
    broken = broken_promises(log, budget, chosen.tokens, name, made.members)
    broken |= {"refused by its provider"} if faults_of(name, made.members) else set()
    folding, choosing, rendering, again = (f"{each:.3f}" for each in times_ms)
    times = f"{folding:>9}{choosing:>10}{rendering:>11}{again:>8}"
    return f"{name:<12}{times}{chosen.tokens:>8,}  {', '.join(sorted(broken)) or 'none'}"


def joined(dialogues: list[list[Message]]) -> list[Message]:
    """Return one conversation: the first system message, and everything else of all."""
    head, *rest = [message for messages in dialogues for message in messages]
    return [head, *(message for message in rest if message["role"] != "system")]


def _langchain(messages: list[Message], arguments: argparse.Namespace) -> list[Contender]:
    from scripts.proving.contexts.real_tokens import encoding

    library = importlib.import_module("langchain_core.messages")
    converted = library.convert_to_messages([{"content": "", **message} for message in messages])
    roles = {"human": "user", "ai": "assistant"}

    def count(batch: list[Any]) -> int:
        tokens = 3
        for message in batch:
            calls = getattr(message, "tool_calls", [])
            texts = [roles.get(message.type, message.type), message.content, message.name or ""]
            texts += [getattr(message, "tool_call_id", ""), *(call["name"] for call in calls)]
            texts += [json.dumps(call["args"], ensure_ascii=False) for call in calls]
            tokens += 3 + bool(message.name) + sum(len(encoding().encode_ordinary(text)) for text in texts if text)
        return tokens

    def trim(**options: Any) -> Callable[[], Any]:
        limit = arguments.budget
        return lambda: library.trim_messages(converted, max_tokens=limit, token_counter=count, **options)

    read = library.convert_to_openai_messages
    return [
        Contender("langchain-core trim_messages", trim(), read, arguments.repeats),
        Contender(
            "langchain-core, system and start_on=human",
            trim(include_system=True, start_on="human"),
            read,
            arguments.repeats,
        ),
    ]


def _litellm(messages: list[Message], arguments: argparse.Namespace) -> list[Contender]:
    # Without this litellm waits for a download at its import.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    library = importlib.import_module("litellm.utils")

    def trim() -> Any:
        copies = [dict(message) for message in messages]  # It changes what it is given.
        return library.trim_messages(copies, model="gpt-4o", max_tokens=arguments.budget, trim_ratio=1)

    return [Contender("litellm trim_messages, trim_ratio=1", trim, list, max(3, arguments.repeats // 5))]


@contextmanager
def _counted_encodes() -> Iterator[list[None]]:
    """Collect an element for each call of tiktoken's encoders."""
    from tiktoken import Encoding

    calls: list[None] = []
    originals = {name: getattr(Encoding, name) for name in ("encode", "encode_ordinary")}

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def encode(*args: Any, **options: Any) -> Any:
            calls.append(None)
            return original(*args, **options)

        return encode

    for name, original in originals.items():
        setattr(Encoding, name, counted(original))
    try:
        yield calls
    finally:
        for name, original in originals.items():
            setattr(Encoding, name, original)


def _median_ms(contender: Contender) -> float:
    samples = []
    for _ in range(contender.repeats):
        begin_s = time.perf_counter()
        contender.trim()
        samples.append(time.perf_counter() - begin_s)
    return statistics.median(samples) * 1000
