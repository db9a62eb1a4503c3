"""
What drawn conversations found at the borders, each by name: what is counted is what is sent, what is left out is named,
and what is sent is taken.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from scripts.proving.borders.conversation import Batch, Conversation, log_of
from scripts.proving.contexts.counting import counted
from scripts.proving.contexts.dialogues import folded
from scripts.proving.providers.by_format import faults_of
from shared.context.fit import fit
from shared.context.render import render
from shared.errors import InvalidValue
from shared.items.fitting import NO_PICTURE
from tests.logs import characters

Json = dict[str, Any]
LARGEST = 1_445
"""What a picture of unknown size counts."""


def sent(context_format: str, *batches: Batch) -> tuple[Json, list[str], int]:
    """Return the members of a context of all that was appended, the ids that it names, and its tokens."""
    selection = fit(folded(log_of(Conversation(batches), characters), context_format), 10**9)
    rendering = render(context_format, selection)

    assert counted(selection, rendering.members, characters) == selection.tokens
    assert faults_of(context_format, rendering.members) == []
    members = {name: json.loads(value) for name, value in rendering.members.items()}
    return members, rendering.unsupported, selection.tokens


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


USE = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "news"}}
FOUND: Json = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
CALLED = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
ANSWERED = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "r"}]}
TEXT = {"type": "text", "text": "Here."}
ASKED = {"role": "user", "content": "news?"}


def answer(*blocks: Json) -> Json:
    return {"role": "assistant", "content": list(blocks)}


def blocks_sent(*messages: Json) -> tuple[list[list[str]], int]:
    """Return the types of the blocks of each message that is sent, and how many items are named."""
    members, named, _ = sent("anthropic", {"format": "anthropic", "messages": list(messages)})
    return [[block["type"] for block in message["content"]] for message in members["messages"]], len(named)


@pytest.mark.parametrize(
    ("messages", "answers"),
    [
        pytest.param([answer(TEXT, USE, FOUND, TEXT)], [["text", USE["type"], FOUND["type"], "text"]], id="in one"),
        pytest.param([answer(TEXT, USE)], [["text", USE["type"]]], id="paused"),
        pytest.param(
            [answer(TEXT, USE), answer(FOUND, TEXT), ASKED],
            [["text", USE["type"]], [FOUND["type"], "text"]],
            id="paused, and gone on",
        ),
        pytest.param(
            [answer(USE, CALLED), ANSWERED, answer(FOUND, TEXT), ASKED],
            [[USE["type"], "tool_use"], [FOUND["type"], "text"]],
            id="beside a tool of the caller's",
        ),
        pytest.param([answer(USE, CALLED), ANSWERED], [[USE["type"], "tool_use"]], id="waits for the caller's"),
    ],
)
def test_calls_of_the_provider_stand_with_their_results(messages: list[Json], answers: list[list[str]]) -> None:
    members, named, _ = sent("anthropic", {"format": "anthropic", "messages": [ASKED, *messages]})
    said_there = [message for message in members["messages"] if message["role"] == "assistant"]
    types = [[block["type"] for block in message["content"]] for message in said_there]

    assert ([each for part in types for each in part], named) == ([each for part in answers for each in part], [])


@pytest.mark.parametrize(
    "torn",
    [
        pytest.param([answer(TEXT, FOUND)], id="a result without its call"),
        pytest.param([answer(FOUND, USE, TEXT)], id="a result before its call"),
        pytest.param([answer(TEXT, USE), ASKED], id="a call without its result"),
        pytest.param([answer(USE, TEXT)], id="a call that was gone on from"),
        pytest.param([answer(FOUND)], id="nothing but a result"),
        pytest.param([answer(USE, CALLED), ANSWERED, answer(TEXT), ASKED], id="a call whose result never came"),
        pytest.param([answer(USE, CALLED), ANSWERED, ASKED, answer(FOUND, TEXT)], id="a result behind the user"),
    ],
)
def test_calls_of_the_provider_are_left_out_without_their_results(torn: list[Json]) -> None:
    types, named = blocks_sent(ASKED, *torn)

    assert not {each for message in types for each in message} & {USE["type"], FOUND["type"]}
    assert named >= 1


def test_an_id_of_the_provider_is_sent_once() -> None:
    messages = [ASKED, answer(USE, FOUND, TEXT)]
    members, named, _ = sent("anthropic", {"format": "anthropic", "messages": messages * 2})
    ids = [block["id"] for message in members["messages"] for block in message["content"] if "id" in block]
    answered = [
        each for message in members["messages"] for block in message["content"] if (each := block.get("tool_use_id"))
    ]

    assert ids == answered == ["srvtoolu_1", "srvtoolu_1_2"]
    assert named == []


@pytest.mark.parametrize(
    "thought",
    [{"type": "thinking", "thinking": "hm", "signature": ""}, {"type": "redacted_thinking", "data": ""}],
    ids=["thinking", "redacted_thinking"],
)
def test_thoughts_that_nobody_signed_are_left_out_and_named(thought: Json) -> None:
    assert blocks_sent(ASKED, answer(thought, TEXT)) == ([["text"], ["text"]], 1)


@pytest.mark.parametrize(("data", "audio_format"), [("image/bmp", "wav"), ("UklGRg==", "call:0")])
def test_audio_that_is_none_is_left_out_and_named(data: str, audio_format: str) -> None:
    audio = {"type": "input_audio", "input_audio": {"data": data, "format": audio_format}}
    parts = [audio, {"type": "text", "text": "What is this?"}]
    members, named, _ = sent("chat", {"messages": [{"role": "user", "content": parts}]})

    assert members["messages"] == [{"role": "user", "content": "What is this?"}]
    assert len(named) == 1


def test_white_space_before_a_call_of_the_provider_stays() -> None:
    ending = {"type": "text", "text": "Let me look. "}
    members, _, _ = sent("anthropic", {"format": "anthropic", "messages": [ASKED, answer(ending, USE)]})

    assert members["messages"][1]["content"][0]["text"] == "Let me look. "


def test_an_id_of_the_provider_is_one_that_it_takes() -> None:
    use, found = {**USE, "id": "call:0"}, {**FOUND, "tool_use_id": "call:0"}
    members, named, _ = sent("anthropic", {"format": "anthropic", "messages": [ASKED, answer(use, found, TEXT)]})
    blocks = members["messages"][1]["content"]

    assert (blocks[0]["id"], blocks[1]["tool_use_id"], named) == ("call_0", "call_0", [])


def test_a_picture_in_the_result_of_a_call_that_failed_is_named() -> None:
    picture = {"type": "image", "source": {"type": "url", "url": "https://a.example/b"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [picture, TEXT], "is_error": True}
    messages = [ASKED, answer(CALLED), {"role": "user", "content": [result]}]
    members, named, _ = sent("anthropic", {"format": "anthropic", "messages": messages})

    assert members["messages"][2]["content"][0]["content"] == [TEXT]
    assert len(named) == 1


def test_a_thought_that_says_nothing_is_not_sent() -> None:
    parts: list[Json] = [{"text": "", "thought": True}, {"text": "", "thoughtSignature": "c2ln"}, {"text": "Hi"}]
    contents = [{"role": "user", "parts": [{"text": "q"}]}, {"role": "model", "parts": parts}]
    members, named, _ = sent("gemini", {"format": "gemini", "messages": contents})

    assert members["contents"][1]["parts"] == parts[1:]
    assert named == []
