"""
What is filled in and what is left alone; which batches are taken; metadata.
"""

import subprocess
import sys

import pytest

from shared.errors import DuplicateItem, InvalidValue
from shared.items.normalize import NormalItem, normalize_items, normalize_metadata

MESSAGE = {"role": "user", "content": "hi"}
CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
ANSWER = {"type": "function_call_output", "call_id": "call_1", "output": "4"}
REASONING = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
SHELL = {"type": "local_shell_call", "call_id": "c", "action": {"type": "exec", "command": ["ls"], "env": {}}}


def new_id(prefix: str) -> str:
    return f"{prefix}_new"


def normalize(*raw_items: object) -> list[NormalItem]:
    return normalize_items(list(raw_items), new_id)


@pytest.mark.parametrize("role", ["user", "system", "developer"])
def test_a_string_becomes_one_input_text_part(role: str) -> None:
    [normal] = normalize({"role": role, "content": "hi"})

    assert normal.item == {
        "id": "msg_new",
        "type": "message",
        "status": "completed",
        "role": role,
        "content": [{"type": "input_text", "text": "hi"}],
    }


def test_a_string_of_the_assistant_becomes_output_text_without_annotations() -> None:
    [normal] = normalize({"role": "assistant", "content": ""})

    assert normal.item["content"] == [{"type": "output_text", "text": "", "annotations": []}]


def test_parts_get_what_the_stored_form_requires() -> None:
    [question, answer] = normalize(
        {"role": "user", "content": [{"type": "input_image", "file_id": "file_1", "detail": None}]},
        {"id": "msg_2", "role": "assistant", "content": [{"type": "output_text", "text": "a", "annotations": None}]},
    )

    assert question.item["content"] == [{"type": "input_image", "file_id": "file_1", "detail": "auto"}]
    assert answer.item["content"] == [{"type": "output_text", "text": "a", "annotations": []}]


def test_the_output_of_a_call_stays_a_string_or_a_list_of_parts() -> None:
    parts = [{"type": "input_text", "text": "4"}]
    [text, listed] = normalize({**ANSWER, "id": "fco_1"}, {**ANSWER, "output": parts})

    assert text.item["output"] == "4"
    assert listed.item["output"] == parts


def test_null_counts_as_absent() -> None:
    [normal] = normalize({"id": None, "type": None, "status": None, "phase": None, **MESSAGE})

    assert normal.item["id"] == "msg_new"
    assert normal.item["type"] == "message"
    assert normal.item["status"] == "completed"
    assert "phase" not in normal.item


def test_nulls_of_a_model_dump_are_not_stored() -> None:
    thought: dict[str, object] = {
        "id": "rs_1",
        "summary": [],
        "type": "reasoning",
        "content": None,
        "encrypted_content": None,
    }
    text: dict[str, object] = {"type": "output_text", "text": "4", "annotations": [], "logprobs": None}
    said = {"id": "msg_1", "role": "assistant", "type": "message", "phase": None, "content": [text]}
    search = {"type": "web_search_call", "action": {"type": "search", "query": "q", "sources": None}}
    [reasoning, message, searched] = normalize({**thought, "status": None}, said, search)

    assert reasoning.item == {"id": "rs_1", "type": "reasoning", "summary": []}
    assert message.item == {
        "id": "msg_1",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "4", "annotations": []}],
    }
    assert searched.item["action"] == {"type": "search", "query": "q"}


def test_a_null_stays_where_openai_requires_the_field() -> None:
    drawn = {"type": "image_generation_call", "result": None, "status": "failed"}
    run = {"type": "code_interpreter_call", "container_id": "c", "code": None, "outputs": None}
    [image, code] = normalize(drawn, run)

    assert image.item["result"] is None
    assert (code.item["code"], code.item["outputs"]) == (None, None)


@pytest.mark.parametrize("part_type", ["input_text", "text", "summary_text", "reasoning_text"])
@pytest.mark.parametrize(("role", "said"), [("assistant", "output_text"), ("user", "input_text")])
def test_a_text_becomes_what_its_role_says(role: str, said: str, part_type: str) -> None:
    [normal] = normalize({"role": role, "content": [{"type": part_type, "text": "hello"}]})

    assert [(part["type"], part["text"]) for part in normal.item["content"]] == [(said, "hello")]


def test_a_name_is_kept_apart() -> None:
    [named, nameless] = normalize({**MESSAGE, "name": "bob"}, {**MESSAGE, "name": None, "id": "msg_2"})

    assert "name" not in named.item
    assert named.extras == {"format": "chat", "fields": {"name": "bob"}}
    assert nameless.extras == {}


def test_only_ids_of_the_client_count_as_given() -> None:
    [made, given_] = normalize(MESSAGE, {**CALL, "id": "mine-1"})

    assert (made.id, made.given_id) == ("msg_new", False)
    assert (given_.id, given_.given_id) == ("mine-1", True)


@pytest.mark.parametrize(("call_id", "execution"), [("call_1", "client"), (None, "server")])
def test_a_search_without_a_call_id_was_run_by_the_provider(call_id: str | None, execution: str) -> None:
    [normal] = normalize({"type": "tool_search_call", "arguments": {}, "call_id": call_id})

    assert normal.item["execution"] == execution


def test_reasoning_without_id_or_encrypted_content_is_kept() -> None:
    [normal] = normalize({"type": "reasoning", "summary": []})

    assert normal.item == {"id": "rs_new", "type": "reasoning", "summary": []}


def test_any_text_is_kept_as_it_is() -> None:
    text = "\x00 <|endoftext|> \U0001f469\u200d\U0001f467 \ufeff"
    [normal] = normalize({"role": "user", "content": text})

    assert normal.item["content"][0]["text"] == text


def test_pydantic_is_imported_by_the_first_unusual_item_only() -> None:
    program = f"""
import sys
from shared.items.normalize import normalize_items
items = {[MESSAGE, {"role": "assistant", "content": [{"type": "output_text", "text": "a", "logprobs": []}]}]!r}
items += {[CALL, ANSWER, REASONING]!r}
normalize_items(items, lambda prefix: prefix + str(id(object())) + str(len(prefix)))
assert "pydantic" not in sys.modules
normalize_items([{SHELL!r}], str)
assert "pydantic" in sys.modules
"""

    subprocess.run([sys.executable, "-c", program], check=True)


def test_an_id_that_stands_twice_refuses_the_batch() -> None:
    with pytest.raises(DuplicateItem) as refused:
        normalize({**MESSAGE, "id": "a"}, {**CALL, "id": "b"}, {**ANSWER, "id": "a"})

    assert refused.value.param == "items[2].id"
    assert refused.value.detail == "items[2].id repeats items[0].id, 'a'."


@pytest.mark.parametrize(
    ("raw_items", "detail"),
    [
        ([], "items must hold at least one item."),
        (None, "items must be a list, not null."),
        ({}, "items must be a list, not an object."),
        ([MESSAGE] * 101, "items must hold at most 100 items, not 101."),
    ],
)
def test_a_batch_is_a_list_of_1_to_100_items(raw_items: object, detail: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        normalize_items(raw_items, new_id)

    assert (refused.value.param, refused.value.detail) == ("items", detail)


def test_a_batch_of_100_items_fits() -> None:
    assert len(normalize(*({**MESSAGE, "id": f"m{number}"} for number in range(100)))) == 100


@pytest.mark.parametrize("raw_items", [[], None])
def test_a_conversation_may_start_without_items(raw_items: object) -> None:
    assert normalize_items(raw_items, new_id, allow_empty=True) == []


def test_the_path_names_the_field_of_the_caller() -> None:
    with pytest.raises(InvalidValue) as refused:
        normalize_items([1], new_id, path="input")

    assert refused.value.param == "input[0]"


def test_metadata_is_copied_and_null_is_none() -> None:
    metadata = {"k" * 64: "v" * 512, "empty": ""}

    assert normalize_metadata(metadata) == metadata
    assert normalize_metadata(metadata) is not metadata
    assert normalize_metadata(None) == {}


@pytest.mark.parametrize(
    ("raw", "param", "detail"),
    [
        ([], "metadata", "metadata must be an object, not a list."),
        ("x", "metadata", "metadata must be an object, not a string."),
        ({str(n): "" for n in range(17)}, "metadata", "metadata must hold at most 16 pairs, not 17."),
        ({"": "v"}, "metadata", "The metadata key '' must have 1 to 64 characters, not 0."),
        ({"k" * 65: "v"}, "metadata", f"The metadata key '{'k' * 64}…' must have 1 to 64 characters, not 65."),
        ({"k": 1}, "metadata.k", "metadata.k must be a string, not a number."),
        ({"k": None}, "metadata.k", "metadata.k must be a string, not null."),
        ({"k": "v" * 513}, "metadata.k", "metadata.k must have at most 512 characters, not 513."),
    ],
)
def test_metadata_over_its_limits_is_refused(raw: object, param: str, detail: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        normalize_metadata(raw)

    assert (refused.value.param, refused.value.detail) == (param, detail)
