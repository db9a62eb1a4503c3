"""
What of a conversation's prompts providers read from their caches: a recorded conversation, call by call.

Before each answer of the model its context is asked for, as an agent would; what was sent before is what the provider
has. Each provider's published rules are simulated (`scripts/measuring/prompt_caches.py` has them, with their dates):
tokens read from the cache, calls that read none of it, what the input costs where uncached is 1, and how full the
windows are once the conversation is longer than the budget. Nothing expires: calls follow each other within minutes.

Contexts are made in this process, those that recall by an instance, as recall is the store's (cache_served.py).
"""

import argparse
import statistics
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from scripts.benchmarks.context import SHIPPED, Message, joined

if TYPE_CHECKING:
    from scripts.measuring.prompt_caches import Prompt
    from shared.items.item import Item


class Way(NamedTuple):
    """A way to ask for contexts: *marks* tells whether the caller marks what the answer's `cache` says."""

    name: str
    stable_prefix: bool
    marks: bool
    short_results: bool = False
    recall_percent: int = 0


WAYS = (
    Way("newest turns", stable_prefix=False, marks=False),
    Way("stable_prefix", stable_prefix=True, marks=False),
    Way("stable_prefix, its breakpoints marked", stable_prefix=True, marks=True),
    Way("the same with tool_results=short", stable_prefix=True, marks=True, short_results=True),
    Way("the same with recall_budget=10", stable_prefix=True, marks=True, recall_percent=10),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dialogues", type=Path, default=SHIPPED, help="JSON lines of {id, messages}, all joined")
    parser.add_argument("--budget", type=int, default=8000, metavar="TOKENS", help="tokens of a context (8000)")


def run(arguments: argparse.Namespace) -> int:
    from scripts.benchmarks.cache_served import served_prompts
    from scripts.measuring.prompt_caches import PROVIDERS, replay
    from scripts.proving.contexts.dialogues import read_dialogues, to_items, to_log
    from scripts.proving.contexts.real_tokens import real_count

    messages = with_own_ids(joined([dialogue.messages for dialogue in read_dialogues(arguments.dialogues)]))
    log = to_log(to_items(messages), real_count)
    ends = calls(messages)
    print(f"{len(messages)} messages, {len(ends)} calls of the model, to {arguments.budget:,} tokens")
    head = f"{'':<40}{'format':<11}{'from cache':>11}{'misses':>9}{'cost':>7}{'fill':>7}"
    print(f"{head}  by the rules of")
    formats = {provider.format for provider in PROVIDERS}
    for way in WAYS:
        if way.recall_percent:
            made = served_prompts(messages, way, arguments.budget, formats)
        else:
            made = {each: [prompt(log[:end], arguments.budget, each, way) for end in ends] for each in formats}
        for provider in PROVIDERS:
            prompts = made[provider.format]
            told = replay(provider, prompts)
            fill = statistics.mean([each.tokens / arguments.budget for each in prompts if each.is_over])
            print(
                f"{way.name:<40}{provider.format:<11}{told.read_share:>10.1%}{told.miss_share:>9.1%}"
                f"{told.cost:>7.3f}{fill:>7.1%}  {provider.name}"
            )
    return 0


def with_own_ids(messages: "Sequence[Message]") -> "list[Message]":
    """Return *messages* with an id of its own for each call: in the recording some were used again."""
    found: list[Message] = []
    open_calls: dict[str, str] = {}
    number = 0
    for message in messages:
        changed = dict(message)
        if message.get("tool_calls"):
            changed["tool_calls"] = []
            for call in message["tool_calls"]:
                number += 1
                open_calls[call["id"]] = f"call_{number:024}"
                changed["tool_calls"].append({**call, "id": open_calls[call["id"]]})
        elif message["role"] == "tool":
            changed["tool_call_id"] = open_calls.get(message["tool_call_id"], message["tool_call_id"])
        found.append(changed)
    return found


def calls(messages: "Sequence[Message]") -> list[int]:
    """Return how many items there are at each call of the model: behind each of *messages* that is to be answered."""
    from scripts.proving.contexts.dialogues import to_items

    return [len(to_items(messages[: at + 1])) for at, each in enumerate(messages) if each["role"] in ("user", "tool")]


def prompt(log: "Sequence[Item]", budget: int, context_format: str, way: Way) -> "Prompt":
    """Return what is sent of *log*: its messages as they go, and what each counts."""
    import orjson

    from scripts.proving.contexts.dialogues import with_short_results
    from shared.context.fit import fit
    from shared.context.format_rules import RULES
    from shared.context.render import render
    from shared.context.units import counted_for, fold

    rules = RULES[context_format]
    counted = counted_for(with_short_results(log, budget) if way.short_results else log, rules)
    folded = fold(counted, rules)
    selection = fit(folded, budget, stable_prefix=way.stable_prefix)
    rendering = render(context_format, selection)
    parsed: dict[str, Any] = {name: orjson.loads(value) for name, value in rendering.members.items()}
    is_over = selection.omitted.items > 0
    return prompt_of(parsed, rendering.breakpoints if way.marks else (), selection.tokens, is_over=is_over)


def prompt_of(members: dict[str, Any], breakpoints: "Sequence[int]", tokens: int, *, is_over: bool) -> "Prompt":
    """Return what a context is to a provider: *members* are what its format sends, of *breakpoints* messages each."""
    import orjson

    from scripts.measuring.prompt_caches import Prompt

    system = [members[name] for name in ("system", "system_instruction") if members.get(name)]
    sent = next(members[name] for name in ("input", "messages", "contents") if name in members)
    texts = [*map(orjson.dumps, system), *map(orjson.dumps, sent)]
    return Prompt(texts, _shares(texts, tokens), [each + len(system) for each in breakpoints], tokens, is_over)


def _shares(texts: list[bytes], tokens: int) -> list[float]:
    """Return what each of *texts* counts of *tokens*: what its JSON would, in proportion."""
    counts = [_count(text) for text in texts]
    return [tokens * count / sum(counts) for count in counts]


@cache
def _count(text: bytes) -> int:
    from scripts.proving.contexts.real_tokens import real_count

    return real_count(text.decode())
