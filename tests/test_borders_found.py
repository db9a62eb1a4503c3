"""
What drawn conversations found at the borders, each by name: what is counted is what is sent, what is left out is named,
and what is sent is taken.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from scripts.proving.borders.conversation import Batch
from shared.errors import InvalidValue
from shared.items.fitting import NO_PICTURE
from tests.whole_contexts import sent

Json = dict[str, Any]
LARGEST = 1_445
"""What a picture of unknown size counts."""


def said(*parts: Mapping[str, Any]) -> Batch:
    return {"items": [{"role": "user", "content": list(parts)}]}


@pytest.mark.parametrize(("context_format", "frames"), [("anthropic", 3 + 4), ("gemini", 3 + 4)])
def test_a_picture_counts_as_large_where_no_detail_is_sent(context_format: str, frames: int) -> None:
    picture = {"type": "input_image", "image_url": "https://a.example/b", "detail": "low"}

    assert sent(context_format, said(picture))[2] == frames + LARGEST
    assert sent("chat", said(picture))[2] == 3 + 4 + 85


def test_a_picture_by_the_providers_own_id_counts_where_it_is_sent() -> None:
    picture = {"type": "image", "source": {"type": "file", "file_id": "file_1"}}
    batch = {"format": "anthropic", "messages": [{"role": "user", "content": [picture]}]}

    assert sent("anthropic", batch)[2] == 3 + 4 + LARGEST


def test_a_file_that_is_a_picture_counts_as_one_in_gemini() -> None:
    file = {"type": "input_file", "file_url": "https://a.example/b.png"}

    assert sent("gemini", said(file))[2] == 3 + 4 + LARGEST
    assert sent("anthropic", said(file))[2] == 3 + 4


def test_the_name_of_a_tool_counts_where_it_is_sent() -> None:
    called = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    batch = {
        "messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": None, "tool_calls": [called]},
            {"role": "tool", "tool_call_id": "c1", "name": "weather", "content": "sun"},
        ]
    }
    in_text, _, tokens = sent("text", batch)

    assert "weather" not in in_text["text"]
    assert sent("chat", batch)[2] == tokens + len("weather") + 1


def test_what_only_another_dialect_shows_is_named_among_items() -> None:
    audio = {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}}
    batch = {"format": "gemini", "messages": [{"role": "user", "parts": [{"text": "what is it?"}, audio]}]}

    members, named, _ = sent("items", batch)

    assert members["input"][0]["content"] == [{"type": "input_text", "text": "what is it?"}]
    assert named == ["msg_n1"]


def test_an_answer_to_a_custom_tool_is_one_among_items_although_it_came_later() -> None:
    called = {"id": "c1", "type": "custom", "custom": {"name": "sh", "input": "ls"}}
    batches: list[Batch] = [
        {"messages": [{"role": "user", "content": "q"}]},
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [called]}]},
        {"messages": [{"role": "tool", "tool_call_id": "c1", "content": "a.txt"}]},
    ]
    _, call, answer = sent("items", *batches)[0]["input"]

    assert (call["type"], answer["type"]) == ("custom_tool_call", "custom_tool_call_output")
    assert call["call_id"] == answer["call_id"]


@pytest.mark.parametrize("context_format", ["items", "chat", "anthropic", "gemini"])
def test_an_address_has_its_scheme_in_small_letters(context_format: str) -> None:
    picture = {"type": "input_image", "image_url": "HTTPS://A.example/B"}
    file = {"type": "input_file", "file_url": "HTTPS://A.example/B.pdf"}

    members, named, _ = sent(context_format, said(picture, file))

    assert "https://A.example/B" in json.dumps(members)
    assert "HTTPS" not in json.dumps(members)
    assert named == (["msg_n1"] if context_format == "chat" else [])


def in_gemini(*parts: Mapping[str, Any], role: str = "user") -> Batch:
    return {"format": "gemini", "messages": [{"role": role, "parts": list(parts)}]}


def test_pictures_of_googles_clients_are_shown_in_every_format() -> None:
    """They write base64 in its other alphabet."""
    batch = in_gemini({"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo_-_-_"}})

    assert sent("gemini", batch)[0]["contents"][0]["parts"][0]["inlineData"]["data"] == "iVBORw0KGgo/+/+/"
    assert sent("chat", batch)[1] == []


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ({"inlineData": {"mimeType": "audio/wav", "data": "no base64"}}, "inlineData.data"),
        ({"inlineData": {"mimeType": "audio", "data": "UklGRg=="}}, "inlineData.mimeType"),
        ({"fileData": {"fileUri": "file-1"}}, "fileData.fileUri"),
        ({"fileData": {"fileUri": "gs://a/b", "mimeType": "a b"}}, "fileData.mimeType"),
        ({"fileData": {"fileUri": "gs://a/b", "mimeType": "image/bmp"}}, "fileData.mimeType"),
        ({"text": "a", "thoughtSignature": "!"}, "thoughtSignature"),
    ],
)
def test_what_gemini_cannot_read_is_refused_by_name(part: Mapping[str, Any], named: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        sent("gemini", in_gemini(part))

    assert refused.value.param == f"messages[0].parts[0].{named}"


def test_a_picture_that_gemini_does_not_take_is_named_there_and_shown_elsewhere() -> None:
    batch = in_gemini({"text": "see"}, {"inlineData": {"mimeType": "image/gif", "data": "R0lGODdh"}})

    assert sent("gemini", batch)[1] == ["msg_n1"]
    assert sent("anthropic", batch)[1] == []


def test_calls_of_another_model_are_signed_where_gemini_signed_its_own() -> None:
    asked = in_gemini({"text": "two things"})
    signed = in_gemini({"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"}, role="model")
    answered = in_gemini({"functionResponse": {"name": "f", "response": {"r": 1}}})
    others = [
        {"type": "function_call", "call_id": "c1", "name": "g", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "ok"},
    ]
    parts = [
        part["thoughtSignature"]
        for content in sent("gemini", asked, signed, answered, {"items": others})[0]["contents"]
        for part in content["parts"]
        if "functionCall" in part
    ]

    assert parts == ["c2ln", "skip_thought_signature_validator"]
    unsigned = sent("gemini", asked, {"items": others})[0]["contents"]
    assert "thoughtSignature" not in json.dumps(unsigned)


@pytest.mark.parametrize(("url", "shown"), [("file-abc", NO_PICTURE), ("HTTPS://a.example/b", "https://a.example/b")])
def test_a_computers_screenshot_is_a_picture_that_is_taken(url: str, shown: str) -> None:
    call = {"type": "computer_call", "call_id": "c1", "pending_safety_checks": [], "action": {"type": "wait"}}
    output = {"type": "computer_call_output", "call_id": "c1"}
    screenshot = {"output": {"type": "computer_screenshot", "image_url": url}}

    members, named, _ = sent("items", {"items": [{"role": "user", "content": "q"}, call, {**output, **screenshot}]})

    assert members["input"][2]["output"]["image_url"] == shown
    assert named == (["cuo_n3"] if shown == NO_PICTURE else [])


def test_white_space_behind_an_open_call_is_trimmed_where_it_ends_what_is_sent() -> None:
    use = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    said_last = {"role": "assistant", "content": [use, {"type": "text", "text": "One moment. "}]}
    batch = {"format": "anthropic", "messages": [{"role": "user", "content": "q"}, said_last]}

    members, _, tokens = sent("anthropic", batch)

    assert members["messages"][-1]["content"][-1] == {"type": "text", "text": "One moment."}
    assert tokens == 3 + (4 + 1) + (4 + len("f") + len("{}") + len("One moment."))


def test_open_calls_of_very_many_all_stand_in_the_last_message() -> None:
    calls = [{"type": "function_call", "call_id": f"c{at}", "name": "f", "arguments": "{}"} for at in range(300)]
    outputs = [{"type": "function_call_output", "call_id": f"c{at}", "output": "ok"} for at in range(129, 300)]

    messages = sent("chat", {"items": [{"role": "user", "content": "q"}, *calls, *outputs]})[0]["messages"]

    assert [len(each["tool_calls"]) for each in messages if each["role"] == "assistant"] == [43, 128, 128]
    assert messages[-1]["role"] == "assistant"


def test_a_result_has_the_name_of_its_call_in_gemini() -> None:
    call = {"functionCall": {"id": "a", "name": "get weather", "args": {}}}
    answer = {"functionResponse": {"id": "a", "name": "weather", "response": {"r": 1}}}

    contents = sent("gemini", in_gemini({"text": "q"}), in_gemini(call, role="model"), in_gemini(answer))[0]["contents"]

    assert contents[2]["parts"][0]["functionResponse"]["name"] == "get_weather"


def test_a_reply_without_a_word_has_a_content_although_its_refusal_is_empty() -> None:
    batch = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": None, "refusal": ""}]}

    assert sent("chat", batch)[0]["messages"][1]["content"] == ""


def test_a_file_that_does_not_say_of_which_type_it_is_is_named_in_chat() -> None:
    file = {"type": "input_file", "file_data": "data:;base64,iVBORw0KGgo="}
    typed = {"type": "input_file", "file_data": "data:text/plain;charset=utf-8;base64,aGk=", "filename": "a.txt"}

    members, named, _ = sent("chat", said(file, typed))

    assert members["messages"][0]["content"][0]["file"]["file_data"] == "data:text/plain;base64,aGk="
    assert named == ["msg_n1"]


@pytest.mark.parametrize("context_format", ["items", "chat", "anthropic", "gemini", "text"])
@pytest.mark.parametrize("space", ["\u00a0", "\n\u00a0", "\u2003", "\x0b"])
def test_white_space_that_json_does_not_know_makes_an_object_a_text(context_format: str, space: str) -> None:
    call = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a": 1}' + space}
    answer = {"type": "function_call_output", "call_id": "c1", "output": '{"result": "r"}' + space}

    members, unsupported, _ = sent(context_format, said({"type": "input_text", "text": "x"}), {"items": [call, answer]})

    assert unsupported == []
    assert '{"a": 1}' not in json.dumps(members)  # In a text, its quotation marks are escaped.


def test_a_file_that_is_none_is_named_in_its_own_dialect_too() -> None:
    file = {"type": "file", "file": {"file_data": "!", "filename": "a.pdf"}}
    batch = {"messages": [{"role": "user", "name": "bob", "content": [{"type": "text", "text": "see"}, file]}]}

    assert sent("chat", batch)[1] == ["msg_n1"]
