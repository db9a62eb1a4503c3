"""What is told by its shape to be sent alike in all formats is found to be so when it is written down in each."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scripts.proving.contexts.dialogues import read_dialogues, to_items
from shared.items.alike import is_alike
from shared.items.differences import compared, differences
from shared.items.normalize import normalize_items
from shared.items.shown import NO_EXTRAS, object_text
from shared.items.traits import describe
from shared.items.types import chat_form
from tests.examples import examples

Raw = dict[str, Any]

DATA = Path(__file__).parent / "data"

DEEP = '{"a":' * 65 + "1" + "}" * 65
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
said = st.sampled_from(["", " ", "\n", "a", "a ", "\ta\n", "(no text)", "{}", "é"])


def fields(*choices: Raw) -> st.SearchStrategy[Raw]:
    return st.sampled_from(choices)


ids = fields({}, {"id": "msg_1"}, {"id": "fc_1"}, {"id": "ctco_1"}, {"id": "x"})
statuses = fields({}, {"status": "completed"}, {"status": None})
namespaces = fields({}, {}, {"namespace": "n"}, {"namespace": None})
put_out = fields({}, {"annotations": []}, {"annotations": None}, {"logprobs": []})
said_by = fields({}, {}, {"name": "bob"}, {"name": ""}, {"phase": "commentary"})
objects = st.one_of(
    st.sampled_from(
        [
            "{}",
            "",
            " ",
            " {} ",
            '{"a":1,"a":2}',
            '{"a":{"b":[1,{"b":2}]}}',
            '{"a":"\\u0022","a":1}',
            r'{"a\"":"\\u0022\"","b":"http:\/\/x"}',
            '{"a": 1234567890123456789012}',
            "[1]",
            "{",
            "no JSON",
            '{"result":"x"}',
            ' { "result" : "x", "a": 1}',
            '{"a":"result"}',
            DEEP,
            '{"a":[' + "[]," * 70 + "1]}",
        ]
    ),
    st.dictionaries(st.text(max_size=3), values, max_size=3).map(json.dumps),
)


@st.composite
def messages(draw: st.DrawFn) -> Raw:
    role = draw(st.sampled_from(["user", "assistant", "system", "developer"]))
    part_types = ["input_text", "text"] if role != "assistant" else ["output_text", "output_text", "input_text"]
    parts: list[Raw] = []
    for _ in range(draw(st.integers(0, 3))):
        part: Raw = {"type": draw(st.sampled_from(part_types)), "text": draw(said)}
        if part["type"] == "output_text":
            part |= draw(put_out)
        parts.append(part)
    content = draw(st.sampled_from([parts, parts, parts, draw(said)]))
    return {"role": role, "content": content, **draw(ids), **draw(statuses), **draw(said_by)}


@st.composite
def calls(draw: st.DrawFn) -> Raw:
    name = draw(st.sampled_from(["f", "get-it_2", "2f", "-f", "a.b", "", "é", "x" * 64, "x" * 65]))
    call_id = draw(st.sampled_from(["call_1", "", "é" * 70]))
    given: Raw = {"call_id": call_id, "name": name, **draw(ids)}
    if draw(st.integers(0, 4)) == 0:
        return {"type": "custom_tool_call", "input": draw(objects), **given}
    return {"type": "function_call", "arguments": draw(objects), **given, **draw(namespaces), **draw(statuses)}


@st.composite
def outputs(draw: st.DrawFn) -> Raw:
    item_type = draw(st.sampled_from(["function_call_output", "custom_tool_call_output"]))
    parts = [{"type": "input_text", "text": draw(said)}]
    output = draw(st.one_of(said, objects, st.sampled_from([[], parts, parts * 2])))
    return {"type": item_type, "call_id": "call_1", "output": output, **draw(ids)}


def normal(raw: Raw) -> Raw:
    [made] = normalize_items([raw], lambda prefix: f"{prefix}_1")
    return made.item


def recorded() -> list[Raw]:
    dialogues = read_dialogues(DATA / "tau_airline_12.jsonl")
    return [normal(raw) for dialogue in dialogues for raw in to_items(dialogue.messages)]


@settings(max_examples=examples(2_000), deadline=None)
@example({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": DEEP})
@example({"type": "function_call_output", "id": "fc_1", "call_id": "call_1", "output": '{"result":"x"}'})
@given(st.one_of(messages(), calls(), outputs()))
def test_what_looks_alike_is_alike_in_all_formats(raw: Raw) -> None:
    item = normal(raw)
    found = compared(item, chat_form(item), 0, is_named=bool(describe(item).name), extras=NO_EXTRAS)

    assert found == () or not is_alike(item)
    assert differences(item, chat_form(item), 0, is_named=bool(describe(item).name)) == found


def test_all_that_was_recorded_is_told_by_its_shape_but_results_with_a_name() -> None:
    others = [item for item in recorded() if not is_alike(item)]

    assert {item["type"] for item in others if "name" in item} == {"function_call_output"}
    assert [item for item in others if "name" not in item] == []


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ('{"a":1,"a":2}', '{"a":2}'),
        (r'{"a":"\u0022","a":"\""}', r'{"a":"\""}'),
        (r'{"a":"\"\"","a":"\u0022","b":[{"c":1,"c":":"}]}', r'{"a":"\"","b":[{"c":":"}]}'),
        (r'{"a":"\\u0022\"","b":"\/"}', None),
        ('{"a": [{"a": 1}, {"a": 2}]}', None),
    ],
)
def test_arguments_change_where_a_name_stands_twice_and_nowhere_else(arguments: str, sent: str | None) -> None:
    assert object_text(arguments) == (sent or arguments)


@settings(max_examples=examples(400), deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a", "b", '"', "\\", "é", ":"]), values), max_size=4), st.booleans())
def test_of_equal_names_the_last_is_sent_however_it_is_written(pairs: list[tuple[str, Any]], is_ascii: bool) -> None:
    members = (
        f"{json.dumps(name, ensure_ascii=is_ascii)}: {json.dumps(value, ensure_ascii=is_ascii)}"
        for name, value in pairs
    )
    arguments = f"{{{', '.join(members)}}}"
    sent = object_text(arguments)

    assert sent is not None
    assert json.loads(sent) == json.loads(arguments)
    assert (sent == arguments) == (len(dict(pairs)) == len(pairs))
