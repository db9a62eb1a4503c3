"""
A transcript to read, for prompts that take one text: a block per message, call and output.

    user (bob): …
    assistant: …
    assistant (call call_1): find({"city": "Rome"})
    tool (call_1): …

Images and files are not text: their items are listed as unsupported.
"""

from collections.abc import Iterable

from shared.context.sent import Sent, SentUnit
from shared.items.chat import call_texts


def render_text(units: Iterable[SentUnit]) -> tuple[list[str], set[str]]:
    """Return the blocks of the transcript, and the ids of items that are not (wholly) in it."""
    blocks: list[str] = []
    unsupported: set[str] = set()
    for unit in units:
        unsupported |= unit.unsupported
        for sent in (*unit.head, *unit.outputs):
            blocks.append(_block(sent))
            if any(part["type"] not in ("text", "refusal") for part in sent.form.parts):
                unsupported.add(sent.item.id)
    return blocks, unsupported


def _block(sent: Sent) -> str:
    form = sent.form
    if form.tool_call is not None:
        name, text = call_texts(form.tool_call)
        return f"{form.role} (call {form.tool_call['id']}): {name}({text})"
    label = form.tool_call_id if form.tool_call_id is not None else form.name
    texts = [part[part["type"]] for part in form.parts if part["type"] in ("text", "refusal")]
    return f"{form.role} ({label}): {'\n'.join(texts)}" if label else f"{form.role}: {'\n'.join(texts)}"
