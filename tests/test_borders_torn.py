"""
What drawn conversations found in calls that providers run themselves, in thoughts, audio and results of failed calls,
each by name: none is sent that is refused, and what is left out is named.
"""

from typing import Any

import pytest

from tests.whole_contexts import sent

Json = dict[str, Any]

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


def test_thoughts_before_a_result_whose_search_is_gone_are_left_out_and_named() -> None:
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
    search: Json = {"type": "tool_search_output", "tools": [], "call_id": None, "execution": "server"}
    items = [{"role": "user", "content": "q"}, thought, thought, search, {"role": "assistant", "content": "a"}]
    members, named, _ = sent("items", {"items": items})

    assert [item["type"] for item in members["input"]] == ["message", "tool_search_output", "message"]
    assert len(named) == 2
