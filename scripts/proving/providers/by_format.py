"""
Which validator a format of contexts is held to.
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from scripts.proving.providers import anthropic, chat, gemini, responses, text
from scripts.proving.providers.rules import Fault

FAULTS: Mapping[str, Callable[[dict[str, Any]], list[Fault]]] = {
    "items": responses.faults,
    "chat": chat.faults,
    "anthropic": anthropic.faults,
    "gemini": gemini.faults,
    "text": text.faults,
}


def faults_of(context_format: str, members: Mapping[str, bytes]) -> list[Fault]:
    """Return what the provider would refuse of a context's *members*, each JSON."""
    return FAULTS[context_format]({name: orjson.loads(value) for name, value in members.items()})
