"""
What messages of other APIs are refused for: what is not known is named by its path, and nothing is made of the rest.
"""

from typing import Any

import pytest

from shared.errors import InvalidValue
from shared.items.given import Given, read_given
from shared.items.messages import normal_items
from tests.messages import read


def refusal(context_format: str, messages: Any, system: Any = None) -> tuple[str | None, str]:
    with pytest.raises(InvalidValue) as refused:
        read(context_format, messages, system)
    return refused.value.param, refused.value.detail


def replied(**fields: Any) -> dict[str, Any]:
    return {"role": "assistant", **fields}


def called(**fields: Any) -> dict[str, Any]:
    function = {"name": "f", "arguments": "{}"}
    return replied(tool_calls=[{"id": "c", "type": "function", "function": function, **fields}])


@pytest.mark.parametrize(
    ("message", "param", "detail"),
    [
        ("hi", "", "must be an object, not a string."),
        ({"content": "hi"}, ".role", "is required."),
        ({"role": "model", "content": "hi"}, ".role", "must be 'system', 'developer', 'user'"),
        ({"role": "user"}, ".content", "is required."),
        ({"role": "user", "content": 4}, ".content", "must be a string or a list of parts, not a number."),
        ({"role": "user", "content": "hi", "tool_calls": [{}]}, ".tool_calls", "is not known here"),
        ({"role": "user", "content": "hi", "invented": 1}, ".invented", "is not known here"),
        ({"role": "user", "content": ["hi"]}, ".content[0]", "must be an object, not a string."),
        ({"role": "user", "content": [{"text": "hi"}]}, ".content[0].type", "is required."),
        ({"role": "user", "content": [{"type": "input_text", "text": "x"}]}, ".content[0].type", "must be 'text'"),
        ({"role": "user", "content": [{"type": "refusal", "refusal": "x"}]}, ".content[0].type", "must be 'text'"),
        ({"role": "user", "content": [{"type": "text"}]}, ".content[0].text", "is required."),
        ({"role": "user", "content": [{"type": "text", "text": "x", "a": 1}]}, ".content[0].a", "is not known here"),
        ({"role": "user", "content": [{"type": "image_url"}]}, ".content[0].image_url", "is required."),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u", "detail": "max"}}]},
            ".content[0].image_url.detail",
            "must be 'auto', 'low' or 'high', not 'max'.",
        ),
        (
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "x"}}]},
            ".content[0].input_audio.format",
            "is required.",
        ),
        (
            {"role": "user", "content": [{"type": "file", "file": {"filename": "a"}}]},
            ".content[0].file.file_data",
            "is required.",
        ),
        (replied(content=[{"type": "image_url", "image_url": {"url": "u"}}]), ".content[0].type", "must be 'text',"),
        (replied(content="a", reasoning_contents="b"), ".reasoning_contents", "is not known here"),
        (replied(content="a", annotations=[{"type": "page"}]), ".annotations[0].type", "must be 'url_citation'"),
        (called(type="web"), ".tool_calls[0].type", "must be 'function' or 'custom', not 'web'."),
        (called(id=None), ".tool_calls[0].id", "is required."),
        (called(function={"name": "f", "arguments": {}}), ".tool_calls[0].function.arguments", "must be a string"),
        (called(place=0), ".tool_calls[0].place", "is not known here"),
        ({"role": "tool", "content": "4"}, ".tool_call_id", "is required."),
        ({"role": "function", "content": "4"}, ".name", "is required."),
    ],
)
def test_a_wrong_chat_message_is_refused_by_its_path(message: Any, param: str, detail: str) -> None:
    at, text = refusal("chat", [{"role": "user", "content": "hi"}, message])

    assert at == f"messages[1]{param}"
    assert text.startswith(f"messages[1]{param} {detail}")


def blocks(role: str, *content: Any) -> dict[str, Any]:
    return {"role": role, "content": list(content)}


RESULT = {"type": "tool_result", "tool_use_id": "t", "content": "4"}


@pytest.mark.parametrize(
    ("message", "param", "detail"),
    [
        ({"role": "system", "content": "hi"}, ".role", "must not be 'system': send it as `system`."),
        ({"role": "tool", "content": "hi"}, ".role", "must be 'user' or 'assistant', not 'tool'."),
        ({"role": "user"}, ".content", "is required."),
        ({"role": "user", "content": "hi", "id": "msg_1"}, ".id", "is not known here"),
        (blocks("user", {"type": "tool_use"}), ".content[0].type", "must be 'text', 'image'"),
        (blocks("user", {"type": "thinking"}), ".content[0].type", "must be 'text', 'image'"),
        (blocks("assistant", RESULT), ".content[0].type", "must be 'text', 'thinking'"),
        (blocks("assistant", {"type": "invented"}), ".content[0].type", "must be 'text', 'thinking'"),
        (blocks("assistant", {"type": "thinking", "thinking": "x"}), ".content[0].signature", "is required."),
        (
            blocks("assistant", {"type": "tool_use", "id": "t", "name": "f", "input": "{}"}),
            ".content[0].input",
            "must be an object, not a string.",
        ),
        (
            blocks("assistant", {"type": "tool_use", "name": "f", "input": {}}),
            ".content[0].id",
            "is required.",
        ),
        (blocks("user", {**RESULT, "is_error": "yes"}), ".content[0].is_error", "must be true or false"),
        (
            blocks("user", {**RESULT, "content": [{"type": "thinking"}]}),
            ".content[0].content[0].type",
            "must be 'text', 'image'",
        ),
        (blocks("user", {"type": "image", "source": {"type": "x"}}), ".content[0].source.type", "must be 'base64'"),
        (
            blocks("user", {"type": "image", "source": {"type": "base64", "data": "x"}}),
            ".content[0].source.media_type",
            "is required.",
        ),
        (blocks("user", {"type": "document"}), ".content[0].source", "is required."),
    ],
)
def test_a_wrong_anthropic_message_is_refused_by_its_path(message: Any, param: str, detail: str) -> None:
    at, text = refusal("anthropic", [{"role": "user", "content": "hi"}, message])

    assert at == f"messages[1]{param}"
    assert text.startswith(f"messages[1]{param} {detail}")


def test_results_stand_before_all_else() -> None:
    param, detail = refusal("anthropic", [blocks("user", {"type": "text", "text": "x"}, RESULT)])

    assert param == "messages[0].content[1].type"
    assert "a tool_result must stand before all other blocks" in detail


def parts(role: str, *given: Any) -> dict[str, Any]:
    return {"role": role, "parts": list(given)}


@pytest.mark.parametrize(
    ("content", "param", "detail"),
    [
        ({"role": "assistant", "parts": []}, ".role", "must be 'user', 'function' or 'model', not 'assistant'."),
        ({"role": "user", "content": "hi"}, ".content", "is not known here"),
        ({"role": "user", "parts": "hi"}, ".parts", "must be a list, not a string."),
        (parts("user", "hi"), ".parts[0]", "must be an object, not a string."),
        (parts("user", {}), ".parts[0].text", "is required."),
        (parts("user", {"text": "a", "inlineData": {}}), ".parts[0].inlineData", ""),
        (parts("user", {"functionCall": {"name": "f"}}), ".parts[0].functionCall", "is not known here"),
        (parts("model", {"functionResponse": {"name": "f"}}), ".parts[0].functionResponse", "is not known here"),
        (parts("model", {"functionCall": {"args": {}}}), ".parts[0].functionCall.name", "is required."),
        (
            parts("model", {"functionCall": {"name": "f", "args": "{}"}}),
            ".parts[0].functionCall.args",
            "must be an object",
        ),
        (
            parts("user", {"function_response": {"name": "f"}}),
            ".parts[0].functionResponse.response",
            "is required.",
        ),
        (parts("user", {"inlineData": {"data": "x"}}), ".parts[0].inlineData.mimeType", "is required."),
        (parts("user", {"fileData": {"mimeType": "a/b"}}), ".parts[0].fileData.fileUri", "is required."),
        (parts("model", {"text": "a", "thought": "yes"}), ".parts[0].thought", "must be true or false"),
        (parts("model", {"text": "a", "thoughtSignature": 4}), ".parts[0].thoughtSignature", "must be a string"),
        (parts("user", {"text": "a", "invented": 1}), ".parts[0].invented", "is not known here"),
    ],
)
def test_a_wrong_content_is_refused_by_its_path(content: Any, param: str, detail: str) -> None:
    at, text = refusal("gemini", [{"role": "user", "parts": [{"text": "hi"}]}, content])

    assert at == f"messages[1]{param}"
    assert detail in text


@pytest.mark.parametrize(
    ("context_format", "system", "param"),
    [
        ("chat", "Be brief.", "system"),
        ("anthropic", 4, "system"),
        ("anthropic", [{"type": "image"}], "system[0].type"),
        ("anthropic", [{"type": "text", "text": 4}], "system[0].text"),
        ("gemini", ["hi"], "system"),
        ("gemini", {"parts": [{"inlineData": {}}]}, "system.parts[0].inlineData"),
    ],
)
def test_a_wrong_system_prompt_is_refused_by_its_path(context_format: str, system: Any, param: str) -> None:
    assert refusal(context_format, [], system)[0] in (param, "messages")
    said: dict[str, Any] = {"parts": []} if context_format == "gemini" else {"content": "hi"}
    messages = [{"role": "user", **said}]
    assert refusal(context_format, messages, system)[0] == param


@pytest.mark.parametrize(
    ("values", "param"),
    [
        ({}, "items"),
        ({"items": [], "messages": []}, "messages"),
        ({"messages": [], "contents": []}, "contents"),
        ({"items": [], "format": "chat"}, "format"),
        ({"items": [], "system": "x"}, "system"),
        ({"system": "x"}, "system"),
        ({"contents": [], "format": "chat"}, "format"),
        ({"messages": [], "format": "anthropic", "system_instruction": "x"}, "system_instruction"),
        ({"contents": [], "system": "x", "systemInstruction": "y"}, "systemInstruction"),
    ],
)
def test_a_body_brings_one_thing(values: Any, param: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        read_given(values)

    assert refused.value.param == param


def test_the_format_of_messages_is_chat_and_that_of_contents_gemini() -> None:
    assert read_given({"messages": []}).context_format == "chat"
    assert read_given({"contents": [], "systemInstruction": "x"}) == Given(
        [], "contents", "gemini", "x", "systemInstruction"
    )


def test_the_limit_is_on_the_items_that_are_made() -> None:
    calls = [{"id": f"c{at}", "type": "function", "function": {"name": "f", "arguments": "{}"}} for at in range(99)]

    assert len(read("chat", [replied(content="a", tool_calls=calls)])) == 100
    param, detail = refusal("chat", [replied(content="a", tool_calls=calls), {"role": "user", "content": "b"}])
    assert param == "messages"
    assert detail.startswith("messages must make at most 100 items, not 101")
    assert refusal("chat", [{"role": "user", "content": "a"}] * 101)[0] == "messages"
    assert refusal("chat", []) == ("messages", "messages must hold at least one message.")
    assert refusal("chat", "hi") == ("messages", "messages must be a list, not a string.")


def test_a_path_names_the_field_of_the_caller() -> None:
    given = Given([{"role": "user", "parts": [{}]}], "contents", "gemini")
    with pytest.raises(InvalidValue) as refused:
        normal_items(given, str)

    assert refused.value.param == "contents[0].parts[0].text"
