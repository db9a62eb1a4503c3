"""
Items as they are stored, the input of OpenAI's Responses API: `{"input": […]}`, their bytes spliced in log order.

Only what the API would refuse is parsed and written anew: items that have another form (shared/items/responses.py), and
calls that are sent with another id, with their outputs.
"""

from collections.abc import Mapping, Sequence
from itertools import takewhile

from shared.context.boundaries import boundaries, items_before
from shared.context.call_ids import call_id_of
from shared.context.fit import Selection
from shared.context.formats.rendering import Rendering, ascending
from shared.context.formats.sent import calls_of, in_order_of_answers
from shared.context.formats.unit_form import Forms, UnitForm, compact, keep
from shared.items.item import Item, read_extras
from shared.items.kinds import Kind
from shared.items.responses import responses_form
from shared.jsonbytes.read import loads_elements
from shared.jsonbytes.write import array, dumps

_RESULT = b'"type":"tool_search_output"'


def render(name: str, selection: Selection, kept: Forms) -> Rendering:
    """Splice *selection*. Where nothing is written anew, forms of another format stay *kept*: this one has none."""
    if dangling := _dangling(selection.items):
        rest = [item for item in selection.items if item.seq not in dangling]
        rendering = render(name, selection._replace(items=rest), kept)
        left_out = {*rendering.unsupported, *(item.id for item in selection.items if item.seq in dangling)}
        return rendering._replace(unsupported=[item.id for item in selection.items if item.id in left_out])
    ends = ascending(items_before(selection, boundary) for boundary in boundaries(selection))
    if selection.is_common:
        return Rendering({"input": array([item.body for item in selection.items])}, [], kept, ends)
    call_ids, of_custom_tools = _call_ids(selection)
    if not call_ids and not any(item.differences and name in item.differences for item in selection.items):
        return Rendering({"input": array([item.body for item in selection.items])}, [], kept, ends)
    before = kept.units if kept.context_format == name else {}
    forms: dict[int, UnitForm] = {}
    bodies: list[bytes] = []
    unsupported: list[str] = []
    counts: list[int] = []
    for item in selection.items:
        counts.append(len(bodies))
        seq = item.seq
        if seq not in call_ids and not (item.differences and name in item.differences):
            bodies.append(item.body)
            continue
        call_id = call_ids.get(seq, "")
        form = before.get(seq)
        if form is None or form.bodies[0] is not item.body or form.joins != call_id:
            form = _form(item, call_id, answers_custom_tool=seq in of_custom_tools)
        forms[seq] = form
        bodies += form.pieces
        if form.unsupported:
            unsupported.append(item.id)
    counts.append(len(bodies))
    breakpoints = ascending(count for end in ends if (count := counts[end]))
    return Rendering({"input": array(bodies)}, unsupported, keep(kept, name, forms) if forms else kept, breakpoints)


def _dangling(items: Sequence[Item]) -> set[int]:
    """
    Return the reasoning, by seq, behind which stands what the model did not say: the result of a search for tools whose
    call is gone. No format counts any of it.
    """
    found: set[int] = set()
    kinds = [item.kind for item in items]
    if Kind.REASONING not in kinds or Kind.HOSTED not in kinds:
        return found
    for at, item in enumerate(items):
        if item.kind == Kind.HOSTED and _RESULT in item.body:
            thoughts = takewhile(lambda each: each.kind == Kind.REASONING, reversed(items[:at]))
            found |= {each.seq for each in thoughts}
    return found


def _call_ids(selection: Selection) -> tuple[Mapping[int, str], set[int]]:
    """
    Return the ids of calls and outputs, by seq, which are sent with another one than their own; and which outputs came
    as those of a function, but answer a custom tool's call (groups.py).
    """
    found: dict[int, str] = {}
    of_custom_tools: set[int] = set()
    for unit, chosen in zip(selection.units, selection.chosen, strict=True):
        if not chosen.call_ids:
            continue
        calls = list(calls_of(unit, chosen))
        answered = [call for index, call in enumerate(calls) if index not in chosen.open_calls]
        outputs = [item for item in unit if item.kind == Kind.OUTPUT]
        answers = zip(outputs, in_order_of_answers(chosen.answers, answered), strict=True)
        found |= {call.seq: call_id for call, call_id in calls if call_id_of(call.pair_key) not in (None, call_id)}
        for output, (call, call_id) in answers:
            is_other = not output.pair_key.startswith(call.pair_key.partition(":")[0])
            of_custom_tools |= {output.seq} if is_other else set()
            if is_other or call_id_of(output.pair_key) not in (None, call_id):
                found[output.seq] = call_id
    return found, of_custom_tools


def _form(item: Item, call_id: str, *, answers_custom_tool: bool) -> UnitForm:
    """Return *item* as the API takes it, with *call_id* unless that is empty; without pieces where it does not."""
    stored = loads_elements(item.body)
    if answers_custom_tool:
        stored = {**stored, "type": "custom_tool_call_output"}
    form = responses_form(stored, read_extras(item))
    unsupported = frozenset([] if form.is_whole else [item.id])
    if form.item is None:
        return UnitForm((item.body,), [], unsupported, joins=call_id)
    sent = dict(form.item)
    if call_id:
        # A local shell's output may name its call in `id`, when there is no `call_id`.
        sent["call_id" if "call_id" in sent else "id"] = call_id
    return UnitForm((item.body,), compact([dumps(sent)]), unsupported, joins=call_id)
