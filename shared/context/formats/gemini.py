"""
Gemini, `{"system_instruction": {"parts": […]}, "contents": […]}`: all system items in `system_instruction`, which is
left out where there are none, a group as the parts of one content of the model, and the results of its calls in one
content of the user directly after it.

Parts are those of shared/items/gemini.py. A call may follow the user or a result alone: contents of the model that
stand before it are joined with its own, all of them. Where the log has no user, a content of the user comes first that
says FILLER.
"""

from collections.abc import Sequence

import orjson

from shared.context.fit import Selection
from shared.context.formats.rendering import Joined, Made, Rendering, render_units
from shared.context.formats.sent import SentUnit, in_order_of_answers
from shared.context.formats.unit_form import Forms, UnitForm
from shared.items.fitting import FILLER
from shared.items.gemini import gemini_form
from shared.items.kinds import Kind
from shared.items.part_types import Part
from shared.jsonbytes.write import Pieces, nested_array

_USER, _MODEL = b'{"role":"user","parts":[', b'{"role":"model","parts":['
_END = b"]}"
_OPENING = _USER + orjson.dumps({"text": FILLER}) + _END
_USERS = (Kind.USER, Kind.SUMMARY)
_OF_USER, _OF_MODEL, _WITH_CALLS, _WITH_RESULTS = "user", "model", "calls", "results"
_SIGNED = "signed"
_CALL = b'{"functionCall":'
_CALL_SIGNED = b'{"thoughtSignature":"skip_thought_signature_validator","functionCall":'


def render(name: str, selection: Selection, kept: Forms) -> Rendering:
    """Render *selection* as `system_instruction` and `contents`."""
    return render_units(name, _Request(), selection, kept)


class _Request:
    """
    Each unit by itself. A form's pieces are parts of the system, or one or two contents without what opens the first:
    `joins` says whose that is, in which message it came, and whether its first call is signed.
    """

    def make(self, unit: SentUnit, *, is_trimmed: bool) -> Made:
        """Return the parts of *unit*."""
        head = [(each, gemini_form(each.body, each.form, each.extras)) for each in unit.head]
        outputs = [(each, gemini_form(each.body, each.form, each.extras)) for each in unit.outputs]
        unsupported = {each.item.id for each, form in (*head, *outputs) if not form.is_whole}
        parts = [_with_id(part, each.call_id) for each, form in head for part in form.parts]
        kind = unit.head[0].item.kind
        if kind == Kind.SYSTEM:
            return Made(_joined_parts(parts), unsupported, is_system=True)
        if all(form.is_thinking for _, form in head if form.parts):
            return Made([], unsupported | {each.item.id for each, _ in head})
        if kind in _USERS:
            return Made([*_joined_parts(parts), _END], unsupported, joins=f"{_OF_USER} {unit.head[0].item.message} ")
        pieces = [*_joined_parts(parts), _END]
        answered = [form for each, form in head if each.item.kind == Kind.CALL and not each.is_open]
        answers = zip(outputs, in_order_of_answers(unit.answers, answered), strict=True)
        results = [
            _named(_with_id(part, each.call_id), call.parts[0]["functionCall"]["name"])
            for (each, form), call in answers
            for part in form.parts
        ]
        if results:
            pieces += [b",", _USER, *_joined_parts(results), _END]
        calls = _calls(parts)
        joins = _WITH_RESULTS if results else _WITH_CALLS if calls else _OF_MODEL
        mark = unit.outputs[-1].item.message if results else ""
        signed = _SIGNED if calls and "thoughtSignature" in calls[0] else ""
        return Made(pieces, unsupported, joins=f"{joins} {mark} {signed}")

    def join(self, forms: Sequence[UnitForm], ends: Sequence[int], *, has_opening: bool) -> Joined:
        contents: list[Pieces] = [[_OPENING]] if has_opening else []
        # How many contents stand before each form, and hold nothing of it.
        counts = list[int]()
        before, said_by_model = None, 0
        for form in _signed_alike([form for form in forms if not form.is_system]):
            counts.append(len(contents))
            kind = form.joins.partition(" ")[0]
            joined = 0
            if _goes_on(form, before):
                joined = 1
            elif kind in (_WITH_CALLS, _WITH_RESULTS):
                joined = said_by_model
            if joined:
                first, *others = contents[-joined:]
                del contents[-joined:]
                counts = [min(count, len(contents)) for count in counts]
                for pieces in (*(other[1:] for other in others), form.pieces):
                    first = [*_open(first), b",", *pieces]
                contents.append(first)
            else:
                contents.append([_USER if kind == _OF_USER else _MODEL, *form.pieces])
            before = form
            said_by_model = said_by_model + 1 if kind == _OF_MODEL else 0
        system = [form.pieces for form in forms if form.is_system]
        instruction = {"system_instruction": [b'{"parts":', *nested_array(system), b"}"]} if system else {}
        counts.append(len(contents))
        found = [counts[sum([not form.is_system for form in forms[:end]])] for end in ends]
        members = {**instruction, "contents": nested_array(contents)}
        return Joined(members, [count for count in found if count or system])


def _signed_alike(forms: list[UnitForm]) -> list[UnitForm]:
    """
    Return *forms*, each with a signature where another call of the last turn has one: the API demands one of each step
    then, and takes this in place of one for what another model called.
    """
    pairs = enumerate(zip(forms, [None, *forms], strict=False))
    start = max((at for at, (form, before) in pairs if _is_users(form) and not _goes_on(form, before)), default=0)
    steps = [at for at in range(start, len(forms)) if forms[at].joins.startswith((_WITH_CALLS, _WITH_RESULTS))]
    unsigned = [at for at in steps if not forms[at].joins.endswith(_SIGNED)]
    if len(unsigned) == len(steps):
        return forms
    made = list(forms)
    for at in unsigned:
        made[at] = forms[at]._replace(pieces=[b"".join(forms[at].pieces).replace(_CALL, _CALL_SIGNED, 1)])
    return made


def _is_users(form: UnitForm) -> bool:
    return form.joins.startswith(_OF_USER)


def _goes_on(form: UnitForm, before: UnitForm | None) -> bool:
    """Tell whether *form* is what the user said to the results *before* it: they came as one content."""
    if before is None or not _is_users(form) or not before.joins.startswith(_WITH_RESULTS):
        return False
    mark = form.joins.split(" ")[1]
    return bool(mark) and mark == before.joins.split(" ")[1]


def _open(content: Pieces) -> Pieces:
    """Return *content* without its end."""
    return [*content[:-1], content[-1][: -len(_END)]]


def _calls(parts: Sequence[Part]) -> list[Part]:
    return [part for part in parts if "functionCall" in part]


def _with_id(part: Part, call_id: str) -> Part:
    """Return *part* with the id that its call is sent with, where it has one."""
    for name in ("functionCall", "functionResponse"):
        if "id" in part.get(name, ()):
            return {**part, name: {**part[name], "id": call_id}}
    return part


def _named(part: Part, name: str) -> Part:
    """Return a result with the name of its call, which the one that it came with need not be."""
    return {**part, "functionResponse": {**part["functionResponse"], "name": name}}


def _joined_parts(parts: Sequence[Part]) -> Pieces:
    return [piece for part in parts for piece in (b",", orjson.dumps(part))][1:]
