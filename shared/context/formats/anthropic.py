"""
Anthropic Messages, `{"system": […], "messages": […]}`: all system items in `system`, a group as its blocks, and the
results of its calls in one user message directly after it.

Blocks are those of shared/items/anthropic.py. Text without a visible character is refused there: such blocks are
dropped, and a message left without blocks is reported as unsupported; the user's then says FILLER. Where the log has no
user, such a message comes first. An answer at the end loses the white space at its end. Names and developer roles have
no place and are dropped.
"""

from collections.abc import Sequence

import orjson

from shared.context.fit import Selection
from shared.context.formats import server_calls
from shared.context.formats.cache_marks import marked_messages, marked_system
from shared.context.formats.rendering import Joined, Made, Rendering, render_units
from shared.context.formats.sent import Message, Sent, SentUnit
from shared.context.formats.unit_form import Forms, UnitForm
from shared.items.anthropic import AnthropicForm, Block, anthropic_form
from shared.items.fitting import FILLER
from shared.items.kinds import Kind
from shared.jsonbytes.write import encode, joined, nested_array

_OPENING = orjson.dumps({"role": "user", "content": [{"type": "text", "text": FILLER}]})
_USERS = (Kind.USER, Kind.SUMMARY)


def render(name: str, selection: Selection, kept: Forms) -> Rendering:
    """Render *selection* as `system` and `messages`."""
    return render_units(name, _Request(cached_for=selection.cached_for), selection, kept, _mended)


def _mended(forms: Sequence[UnitForm]) -> dict[int, "_Request"]:
    """Return how units are put whose calls of the provider's own are not sent as they came."""
    if not any(form.joins for form in forms):
        return {}
    places = [at for at, form in enumerate(forms) if form.pieces and not form.is_system]
    changed = server_calls.changed([forms[at].joins for at in places])
    return {places[index]: _Request(ids) for index, ids in changed.items()}


class _Request:
    """
    Each unit by itself; the system's apart from the messages. A form's `joins` is the note of the provider's own calls
    and results, which are sent with *ids* where there are some. *cached_for*: the beginnings get marks, "" for none.
    """

    def __init__(self, ids: server_calls.Ids | None = None, cached_for: str = "") -> None:
        self._ids = ids
        self._cached_for = cached_for

    def make(self, unit: SentUnit, *, is_trimmed: bool) -> Made:
        """Return the system blocks of *unit*, or its messages."""
        head = [(each, anthropic_form(each.body, each.form, each.extras)) for each in unit.head]
        outputs = [(each, anthropic_form(each.body, each.form, each.extras)) for each in unit.outputs]
        unsupported = {each.item.id for each, form in (*head, *outputs) if not form.is_whole}
        blocks = _blocks(head)
        note = server_calls.note(blocks)
        if self._ids is not None:
            blocks = server_calls.sent(blocks, iter(self._ids))
            ids = iter(self._ids)
            unsupported |= {
                each.item.id for each, form in head if len(server_calls.sent(form.blocks, ids)) < len(form.blocks)
            }
        if all(form.is_thinking for _, form in head if form.blocks):
            unsupported |= {each.item.id for each, _ in head}
            blocks = []
        if is_trimmed:
            blocks[-1] = {**blocks[-1], "text": blocks[-1]["text"].rstrip()}
        kind = unit.head[0].item.kind
        if kind == Kind.SYSTEM:
            return Made(joined(map(encode, blocks), b","), unsupported, is_system=True)
        messages: list[Message] = []
        if blocks:
            messages.append({"role": "user" if kind in _USERS else "assistant", "content": blocks})
        if results := [{**block, "tool_use_id": each.call_id} for each, form in outputs for block in form.blocks]:
            messages.append({"role": "user", "content": results})
        return Made(joined(map(encode, messages), b","), unsupported, joins=note, messages=len(messages))

    def join(self, forms: Sequence[UnitForm], ends: Sequence[int], *, has_opening: bool) -> Joined:
        system = [form.pieces for form in forms if form.is_system]
        messages = [[_OPENING]] if has_opening else []
        # Behind each form: how many pieces of `messages` there are, and how many messages these are.
        ended = [(len(messages), len(messages))]
        for form in forms:
            pieces, count = ended[-1]
            if form.is_system:
                ended.append((pieces, count))
            else:
                messages.append(form.pieces)
                ended.append((pieces + 1, count + form.messages))
        found = [ended[end] for end in ends if ended[end][1] or system]
        if self._cached_for:
            system[-1:] = [marked_system(pieces, self._cached_for) for pieces in system[-1:]]
            for at in {pieces - 1 for pieces, _ in found if pieces > has_opening}:
                messages[at] = marked_messages(messages[at], self._cached_for)
        members = {"system": nested_array(system), "messages": nested_array(messages)}
        return Joined(members, [count for _, count in found])


def _blocks(head: list[tuple[Sent, AnthropicForm]]) -> list[Block]:
    """Return the blocks of one message, in order; calls last where items do not say in which message they came."""
    blocks: list[Block] = []
    calls: list[Block] = []
    for each, form in head:
        if each.form is not None and each.form.tool_call is not None:
            target = blocks if each.item.message else calls
            target += [{**block, "id": each.call_id} for block in form.blocks]
        else:
            blocks += form.blocks
    return blocks + calls
