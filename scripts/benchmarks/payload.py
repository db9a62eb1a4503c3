"""
What is stored in the measurements: recorded customer service with tool calls, as OpenAI's items.
"""

import itertools
from pathlib import Path
from typing import Any

from scripts.proving.contexts.dialogues import read_dialogues, to_items

Item = dict[str, Any]

DIALOGUES = Path(__file__).parents[2] / "tests" / "data" / "tau_airline_12.jsonl"


def history(count: int) -> list[Item]:
    """Return the first *count* items of one long conversation: all dialogues in turn, one system message."""
    messages = [message for dialogue in read_dialogues(DIALOGUES) for message in dialogue.messages]
    head, *rest = [message for message in messages if message["role"] != "system" or message is messages[0]]
    items = to_items([head, *itertools.islice(itertools.cycle(rest), count)])[:count]
    # The dialogues share ids of calls; in one conversation each call has its own.
    calls = 0
    plain = []
    for item in items:
        calls += item["type"] == "function_call"
        kept = {name: value for name, value in item.items() if name not in ("id", "status")}
        if "call_id" in kept:
            kept["call_id"] = f"call_{calls}"
        if kept["type"] == "function_call_output":
            kept.pop("name", None)
        plain.append(kept)
    return plain
