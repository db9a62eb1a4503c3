"""
Every wrong item is refused whole, with the path to the first thing that is wrong and a sentence about it.
"""

from typing import Any

import pytest

from shared.errors import InvalidValue
from shared.items.normalize import normalize_items
from shared.items.types import INPUT_ONLY_TYPES

MESSAGE = {"role": "user", "content": "hi"}
CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
ANSWER = {"type": "function_call_output", "call_id": "call_1", "output": "4"}
CITED = {"type": "output_text", "text": "x", "annotations": [{"type": "url_citation", "index": "1"}]}


def refusal(*raw_items: object) -> tuple[str | None, str]:
    with pytest.raises(InvalidValue) as refused:
        normalize_items(list(raw_items), lambda prefix: f"{prefix}_new")
    return refused.value.param, refused.value.detail


def user(*parts: object) -> dict[str, object]:
    return {"role": "user", "content": list(parts)}


def shell(**action: Any) -> dict[str, object]:
    action = {"type": "exec", "command": ["ls"], "env": {}, **action}
    return {"type": "local_shell_call", "call_id": "c", "action": action}


@pytest.mark.parametrize(
    ("raw", "param", "detail"),
    [
        ("hi", "", "must be an object, not a string."),
        (None, "", "must be an object, not null."),
        ([], "", "must be an object, not a list."),
        ({}, ".type", "is required; only messages may leave it out."),
        ({"type": 5}, ".type", "must be a string, not a number."),
        ({"type": "mesage"}, ".type", ": 'mesage' is not an item type of OpenAI's Conversations API."),
        ({"type": "x" * 65}, ".type", f": '{'x' * 64}…' is not an item type of OpenAI's Conversations API."),
        ({"content": "hi"}, ".role", "is required."),
        ({"role": "user"}, ".content", "is required."),
        (
            {"role": "tool", "content": "hi"},
            ".role",
            "must be 'user', 'assistant', 'system' or 'developer', not 'tool': send chat messages as messages.",
        ),
        (
            {"role": ["user"], "content": "hi"},
            ".role",
            "must be 'user', 'assistant', 'system' or 'developer', not a list.",
        ),
        ({"role": "user", "content": None}, ".content", "must be a string or a list of parts, not null."),
        ({"role": "user", "content": {}}, ".content", "must be a string or a list of parts, not an object."),
        ({**MESSAGE, "status": "done"}, ".status", "must be 'in_progress', 'completed' or 'incomplete', not 'done'."),
        ({**MESSAGE, "phase": 1.5}, ".phase", "must be 'commentary' or 'final_answer', not a number."),
        ({**MESSAGE, "id": 7}, ".id", "must be a string, not a number."),
        ({**MESSAGE, "id": ""}, ".id", "must be 1 to 64 letters, digits, underscores or dashes, not ''."),
        ({**MESSAGE, "id": "a/b"}, ".id", "must be 1 to 64 letters, digits, underscores or dashes, not 'a/b'."),
        ({**MESSAGE, "id": "a\n"}, ".id", "must be 1 to 64 letters, digits, underscores or dashes, not 'a\n'."),
        (user("hi"), ".content[0]", "must be an object, not a string."),
        (user({"text": "hi"}), ".content[0].type", "is required."),
        (user({"type": "input_text"}), ".content[0].text", "is required."),
        (user({"type": "input_text", "text": None}), ".content[0].text", "must be a string, not null."),
        (user({"type": "input_image", "detail": True}), ".content[0].detail", "must be a string, not a boolean."),
        ({"role": "assistant", "content": [{"type": "refusal"}]}, ".content[0].refusal", "is required."),
        (
            {"role": "assistant", "content": [CITED]},
            ".content[0].annotations[0].index",
            "must be an integer, not a string.",
        ),
        ({**CALL, "arguments": {}}, ".arguments", "must be a string, not an object."),
        ({**CALL, "name": None}, ".name", "must be a string, not null."),
        ({"type": "function_call", "name": "f", "arguments": "{}"}, ".call_id", "is required."),
        ({**CALL, "caller": "me"}, ".caller", "must be an object, not a string."),
        ({"type": "function_call_output", "call_id": "c"}, ".output", "is required."),
        ({**ANSWER, "output": 4}, ".output", "must be a string or a list of parts, not a number."),
        (
            {**ANSWER, "output": [{"type": "refusal"}]},
            ".output[0].type",
            "must be 'input_text' or 'input_image' or 'input_file', not 'refusal'.",
        ),
        ({"type": "reasoning"}, ".summary", "is required."),
        ({"type": "reasoning", "summary": "hm"}, ".summary", "must be a list of parts, not a string."),
        ({"type": "reasoning", "summary": [{"type": "summary_text"}]}, ".summary[0].text", "is required."),
        (
            shell(command=["ls", 1]),
            ".action.command[1]",
            "must be a string, not a number.",
        ),
        (shell(env={"A": 1}), ".action.env.A", "must be a string, not a number."),
        ({"type": "web_search_call", "action": {"query": "q"}}, ".action.type", "is required."),
        ({"type": "file_search_call", "queries": "q"}, ".queries", "must be a list, not a string."),
        (
            {"type": "mcp_approval_response", "approval_request_id": "r", "approve": "yes"},
            ".approve",
            "must be true or false, not a string.",
        ),
        (
            {"type": "file_search_call", "queries": [], "results": [{"score": "1"}]},
            ".results[0].score",
            "must be a number, not a string.",
        ),
    ],
)
def test_a_wrong_item_is_refused_by_the_path_to_what_is_wrong(raw: object, param: str, detail: str) -> None:
    space = "" if detail.startswith(":") else " "

    assert refusal({**CALL, "id": "ok"}, raw) == (f"items[1]{param}", f"items[1]{param}{space}{detail}")


@pytest.mark.parametrize(
    ("raw", "param", "advice"),
    [
        ({"role": "assistant", "content": "", "tool_calls": []}, ".tool_calls", "send chat messages as messages"),
        ({"role": "assistant", "content": "", "function_call": {}}, ".function_call", "send chat messages as messages"),
        ({**MESSAGE, "tool_call_id": "c"}, ".tool_call_id", "send chat messages as messages"),
        ({"role": "function", "content": "4", "name": "f"}, ".role", "send chat messages as messages"),
        (user({"type": "image_url", "image_url": {}}), ".content[0].type", "send chat messages as messages"),
        (user({"type": "tool_result", "tool_use_id": "t"}), ".content[0].type", "with format 'anthropic'"),
        ({"role": "assistant", "content": [{"type": "tool_use"}]}, ".content[0].type", "with format 'anthropic'"),
        ({"type": "tool_use", "id": "t", "name": "f", "input": {}}, ".type", "with format 'anthropic'"),
        ({"role": "user", "parts": [{"text": "hi"}]}, ".parts", "with format 'gemini'"),
        ({**MESSAGE, "invented": 1}, ".invented", "is no field of 'message'."),
        (user({"type": "input_text", "text": "x", "invented": 1}), ".content[0].invented", "is no field of"),
        ({**MESSAGE, "name": 4}, ".name", "must be a string"),
    ],
)
def test_messages_of_other_apis_are_told_where_they_go(raw: object, param: str, advice: str) -> None:
    at, detail = refusal(raw)

    assert at == f"items[0]{param}"
    assert advice in detail


def test_only_the_assistant_holds_output_parts() -> None:
    param, detail = refusal(user({"type": "output_text", "text": "hi"}))

    assert param == "items[0].content[0].type"
    assert "'input_text' or 'input_image' or 'input_file'" in detail
    assert detail.endswith("not 'output_text'.")


@pytest.mark.parametrize("type_name", INPUT_ONLY_TYPES)
def test_types_that_only_a_model_call_takes_are_refused_by_name(type_name: str) -> None:
    param, detail = refusal({"type": type_name, "id": "msg_1"})

    assert param == "items[0].type"
    assert f"a conversation cannot hold items of type '{type_name}'" in detail


def test_an_id_alone_is_a_reference() -> None:
    assert "'item_reference'" in refusal({"id": "msg_1"})[1]


def test_the_first_of_very_many_wrong_values_is_enough() -> None:
    wrong = {"type": "file_search_call", "queries": [1] * 300_000}

    assert refusal(wrong)[0] == "items[0].queries[0]"
    assert refusal(shell(env={str(number): number for number in range(100_000)}))[0] == "items[0].action.env.0"


def test_a_path_stays_short_whatever_the_keys() -> None:
    assert refusal(shell(env={"k" * 10_000: 1}))[0] == f"items[0].action.env.{'k' * 64}"
