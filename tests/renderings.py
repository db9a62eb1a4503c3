"""
Contexts with room for all of a few items, in any format.
"""

from typing import Any

import orjson

from scripts.proving.contexts.dialogues import folded, to_log
from shared.context.fit import Selection, fit
from shared.context.formats.rendering import Rendering
from shared.context.render import render
from tests.logs import call, characters, item_id, message, output

Raw = dict[str, Any]

PICTURE = "data:image/png;base64,iVBORw0KGgo="
ALIAS = "call_000000035"
"""Of the call in ROUND whose id Anthropic refuses: as many tokens are before it."""

ROUND = [
    message("system", ["be brief"]),
    message("user", ["weather?"]),
    message("assistant", ["looking"]),
    call("call:1", '{"city":"Rome"}'),
    call("call_2", "not json"),
    output("call_2", "rain"),
    output("call:1", "sun"),
    message("assistant", ["sunny"]),
]


def select(context_format: str, *raw_items: Raw) -> Selection:
    numbered = [{"id": item_id(raw, seq), "status": "completed", **raw} for seq, raw in enumerate(raw_items)]
    return fit(folded(to_log(numbered, characters), context_format), 10**6)


def rendered(context_format: str, *raw_items: Raw) -> tuple[dict[str, Any], list[str]]:
    rendering: Rendering = render(context_format, select(context_format, *raw_items))
    return {name: orjson.loads(value) for name, value in rendering.members.items()}, rendering.unsupported
