"""
The prompts of a recorded conversation as an instance makes them: appended message by message, asked for at each call.
"""

import sys
from collections.abc import Collection, Sequence
from typing import Any

import httpx

from scripts.benchmarks.cache import Way, calls, prompt_of
from scripts.measuring.prompt_caches import Prompt
from scripts.proving.contexts.dialogues import to_items
from scripts.proving.fleet import running_fleet


def served_prompts(
    messages: Sequence[dict[str, Any]], way: Way, budget: int, formats: Collection[str]
) -> dict[str, list[Prompt]]:
    """Return the prompts of each call of the model in each of *formats*, as *way* asks for them."""
    items, ends = to_items(messages), calls(messages)
    prompts: dict[str, list[Prompt]] = {each: [] for each in formats}
    with running_fleet(1) as fleet, fleet.client() as http:
        path = f"/v1/conversations/{http.post('/v1/conversations', json={}).raise_for_status().json()['id']}"
        for number, (begin, end) in enumerate(zip([0, *ends], ends, strict=False), 1):
            http.post(f"{path}/items", json={"items": items[begin:end]}).raise_for_status()
            for each in formats:
                prompts[each].append(_prompt(http, f"{path}/context", way, budget, each))
            print(f"\rcall {number} of {len(ends)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return prompts


def _prompt(http: httpx.Client, path: str, way: Way, budget: int, context_format: str) -> Prompt:
    asked: dict[str, str | int] = {
        "format": context_format,
        "budget": budget,
        "recall_budget": way.recall_percent,
        "stable_prefix": str(way.stable_prefix).lower(),
        "tool_results": "short" if way.short_results else "whole",
    }
    told = http.get(path, params=asked).raise_for_status().json()
    breakpoints = told["cache"]["breakpoints"] if way.marks else ()
    return prompt_of(told, breakpoints, told["tokens"], is_over=told["pressure"]["omitted_tokens"] > 0)
