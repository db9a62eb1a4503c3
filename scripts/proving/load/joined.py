"""
Recorded dialogues joined to long conversations, a model call a turn: what an instance's memory is for.
"""

import random
from collections.abc import Iterable, Sequence
from typing import Any

from scripts.proving.contexts.dialogues import Dialogue
from scripts.proving.load.schedule import Step

PAUSE_S = 6.0
"""Between two model calls of a conversation, on average; of the trace's time."""

PAUSE_MIN_S = 0.5

BATCH_MESSAGES_MAX = 80
"""An append may have 100 items, and a message may be more than one."""


def joined_schedule(
    dialogues: Sequence[Dialogue],
    seconds: float,
    speed: float,
    seed: object,
    at_once: int = 12,
    length: int = 5,
    begun: int = 1,
) -> list[Step]:
    """
    Return the requests of *at_once* conversations at a time, each of *length* dialogues, for *seconds* of their time.

    A turn brings the model's last reply, with what its tools said or the customer did. The first *begun* messages, or
    some more until a turn begins, come ahead of the first turn, without asking for a context.
    """
    chance = random.Random(repr(("joined", seed)))  # noqa: S311
    steps: list[Step] = []
    conversation = 0
    for _ in range(at_once):
        at_s = chance.uniform(0, PAUSE_S)
        while at_s < seconds:
            messages = _join(chance.choices(dialogues, k=length))
            turns = list(_turns(messages[1:]))
            batches = _begin(messages[0], turns, begun)
            steps += [
                Step(at_s, "reply" if number else "create", conversation, 0, messages=tuple(batch))
                for number, batch in enumerate(batches)
            ]
            for turn, batch in enumerate(turns):
                at_s += PAUSE_MIN_S + chance.expovariate(1 / (PAUSE_S - PAUSE_MIN_S))
                if at_s >= seconds:
                    break
                steps.append(Step(at_s, "turn", conversation, turn, messages=tuple(batch)))
            conversation += 1
            at_s += PAUSE_S
    return [each._replace(at_s=each.at_s / speed) for each in sorted(steps, key=lambda step: step.at_s)]


def _begin(first: dict[str, Any], turns: list[list[dict[str, Any]]], begun: int) -> list[list[dict[str, Any]]]:
    """Take at least *begun* messages from *first* and *turns*; return them in batches that an append may have."""
    batches = [[first]]
    count = 1
    while turns and count < begun:
        batch = turns.pop(0)
        if len(batches[-1]) + len(batch) > BATCH_MESSAGES_MAX:
            batches.append([])
        batches[-1] += batch
        count += len(batch)
    return batches


def _join(dialogues: Iterable[Dialogue]) -> list[dict[str, Any]]:
    """Return the messages of *dialogues*, under the system message of the first; each keeps its calls' ids apart."""
    joined: list[dict[str, Any]] = []
    for number, each in enumerate(dialogues):
        rest = [_apart(message, number) for message in each.messages]
        joined += rest if not joined else [message for message in rest if message["role"] != "system"]
    return joined


def _apart(message: dict[str, Any], number: int) -> dict[str, Any]:
    """Return *message* with the ids of its calls marked by *number*: a dialogue may be joined to itself."""
    found = dict(message)
    if found.get("tool_calls"):
        found["tool_calls"] = [{**call, "id": f"{call['id']}_{number}"} for call in found["tool_calls"]]
    if "tool_call_id" in found:
        found["tool_call_id"] = f"{found['tool_call_id']}_{number}"
    return found


def _turns(messages: Sequence[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    """Return what was new at each model call: the last reply, and what came after it."""
    batch: list[dict[str, Any]] = []
    for message in messages:
        if message["role"] == "assistant" and batch and batch[-1]["role"] != "assistant":
            yield batch
            batch = []
        batch.append(message)
