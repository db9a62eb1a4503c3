"""
Chat Completions, `{"messages": […]}`: a response group is one assistant message, each output a tool message after it.

Role, name, content and calls stand in the messages exactly as they were counted (shared/items/chat.py). A message has
at most 128 calls: more of them make further messages, each with its outputs, the open ones in the last.
"""

from collections.abc import Sequence
from typing import Any

from shared.context.fit import Selection
from shared.context.format_rules import CHAT
from shared.context.formats.rendering import Joined, Made, Rendering, render_units
from shared.context.formats.sent import Message, Sent, SentUnit
from shared.context.formats.unit_form import Forms, UnitForm
from shared.items.chat import ChatForm, chat_content, chat_part
from shared.items.dialects.extras import has_foreign
from shared.items.kinds import Kind
from shared.items.part_types import Part
from shared.items.shown import extras_in, laid_over, shown_parts
from shared.jsonbytes.write import encode, joined, nested_array


def render(name: str, selection: Selection, kept: Forms) -> Rendering:
    """Render *selection* as `messages`."""
    return render_units(name, _Messages(), selection, kept)


class _Messages:
    """Each unit by itself."""

    def make(self, unit: SentUnit, *, is_trimmed: bool) -> Made:
        """Return the messages of *unit*."""
        if (plain := _plain(unit)) is not None:
            return Made(encode(plain), set())
        unsupported = {each.item.id for each in (*unit.head, *unit.outputs) if not _is_whole(each)}
        head = [(each, each.form) for each in unit.head if each.form is not None]
        if not head:
            return Made([], unsupported)
        outputs = [(each, each.form) for each in unit.outputs if each.form is not None]
        message, calls = _message(head), _calls(head)
        if len(calls) > CHAT.calls_max:
            messages = _in_several(message, calls, outputs)
        else:
            messages = [message, *(_tool_message(*output) for output in outputs)]
        return Made(joined(map(encode, messages), b","), unsupported, messages=len(messages))

    def join(self, forms: Sequence[UnitForm], ends: Sequence[int], *, has_opening: bool) -> Joined:
        members = {"messages": nested_array(form.pieces for form in forms)}
        counts = [sum([form.messages for form in forms[:end]]) for end in ends]
        return Joined(members, [count for count in counts if count])


def _plain(unit: SentUnit) -> Message | None:
    """Return what becomes of a message that came as an item and has a form for all its parts, None for others."""
    sent = unit.head[0]
    form = sent.form
    if len(unit.head) > 1 or form is None or form.tool_call is not None or form.left_out or sent.extras:
        return None
    message: Message = {"role": form.role, "content": chat_content(form.parts)}
    if form.name:
        message["name"] = form.name
    return message


type _Head = list[tuple[Sent, ChatForm]]


def _is_whole(sent: Sent) -> bool:
    if sent.form is None:
        return False
    is_own = sent.extras.get("format") == CHAT.name
    if is_own and "left_out" in sent.extras:
        return False
    return not (sent.form.left_out or (sent.extras and not is_own and has_foreign(sent.extras)))


def _calls(head: _Head) -> list[tuple[bool, Part]]:
    """Return the calls, each with whether it is open."""
    return [(sent.is_open, _call(sent, form.tool_call)) for sent, form in head if form.tool_call is not None]


def _call(sent: Sent, tool_call: Part) -> Part:
    call = {**tool_call, "id": sent.call_id}
    over = extras_in(sent.extras, CHAT.name).get("call")
    return laid_over(call, over) if over else call


def _message(head: _Head) -> Message:
    parts: list[Part] = []
    fields: dict[str, Any] = {}
    for sent, form in head:
        if not sent.extras:
            parts += form.parts
            continue
        own = extras_in(sent.extras, CHAT.name)
        fields |= own.get("fields", {})
        shown = _parts(sent, form) if "content" in own else form.parts
        if "refusal" in own:
            refusal = form.parts[own["refusal"]]
            fields["refusal"] = refusal.get("refusal", refusal.get("text"))
            shown = [part for part in shown if part != refusal]
        parts += shown
    calls = [call for _, call in _calls(head)]
    is_calls_only = all(sent.item.kind == Kind.CALL for sent, _ in head)
    has_content = bool(parts) or not (is_calls_only or fields.get("audio") or fields.get("refusal"))
    message: Message = {"role": head[0][1].role, "content": chat_content(parts) if has_content else None}
    if name := next((form.name for _, form in head if form.name), ""):
        message["name"] = name
    fields.pop("name", None)
    if calls:
        message["tool_calls"] = calls
    return laid_over(message, fields) if fields else message


def _parts(sent: Sent, form: ChatForm) -> list[Part]:
    return shown_parts(sent.body, sent.extras, CHAT.name, lambda part: chat_part(part, form.role)).parts


def _tool_message(output: Sent, form: ChatForm) -> Message:
    parts = _parts(output, form) if "content" in extras_in(output.extras, CHAT.name) else form.parts
    message: Message = {"role": "tool", "tool_call_id": output.call_id, "content": chat_content(parts)}
    if form.name:
        message["name"] = form.name
    return message


def _in_several(message: Message, calls: list[tuple[bool, Part]], outputs: _Head) -> list[Message]:
    """
    Return *message* and others behind it, each with as many of its calls as one may have, and their outputs. The open
    calls, of which there are no more than that, are all in the last.
    """
    by_id = {output.call_id: _tool_message(output, form) for output, form in outputs}
    ordered = [call for _, call in sorted(calls, key=lambda each: each[0])]
    has_open = any(is_open for is_open, _ in calls)
    first_end = (len(ordered) % CHAT.calls_max if has_open else 0) or CHAT.calls_max
    starts = [0, *range(first_end, len(ordered), CHAT.calls_max)]
    messages: list[Message] = []
    for start, end in zip(starts, [*starts[1:], len(ordered)], strict=True):
        some = ordered[start:end]
        first = {"role": message["role"], "content": None} if start else message
        messages.append({**first, "tool_calls": some})
        messages += [by_id[call["id"]] for call in some if call["id"] in by_id]
    return messages
