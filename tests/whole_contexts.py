"""What a context of all that was appended sends, held against its count and the rules of its provider."""

import json
from typing import Any

from scripts.proving.borders.conversation import Batch, Conversation, log_of
from scripts.proving.contexts.counting import counted
from scripts.proving.contexts.dialogues import folded
from scripts.proving.providers.by_format import faults_of
from shared.context.fit import fit
from shared.context.render import render
from tests.logs import characters

Json = dict[str, Any]


def sent(context_format: str, *batches: Batch) -> tuple[Json, list[str], int]:
    """Return the members of a context of all that was appended, the ids that it names, and its tokens."""
    selection = fit(folded(log_of(Conversation(batches), characters), context_format), 10**9)
    rendering = render(context_format, selection)

    assert counted(selection, rendering.members, characters) == selection.tokens
    assert faults_of(context_format, rendering.members) == []
    members = {name: json.loads(value) for name, value in rendering.members.items()}
    return members, rendering.unsupported, selection.tokens
