"""The bodies of OpenAI's requests count as they stand: what changes no count is ignored, what cannot be is refused."""

from typing import Any, get_type_hints

import httpx
import pytest
from openai.types.chat import completion_create_params as chat
from openai.types.responses import response_create_params as responses

from shared.conversations.token_counts import FIELDS
from shared.tokens.requests import IGNORED, REFUSED

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
ITEMS = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}]
FUNCTION = {"name": "find", "description": "Find it.", "parameters": {"type": "object", "properties": {"q": {}}}}
SCHEMA = {"name": "answer", "schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


def count(api: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = api.post("/v1/tokens/count", json={"model": "gpt-4o", **body})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_every_member_that_the_official_client_can_send_is_known() -> None:
    hints = (
        chat.CompletionCreateParamsStreaming,
        chat.CompletionCreateParamsNonStreaming,
        responses.ResponseCreateParamsStreaming,
        responses.ResponseCreateParamsNonStreaming,
    )
    members = {name for each in hints for name in get_type_hints(each)}

    assert members - {field.name for field in FIELDS} == set()


def test_a_whole_chat_completions_body_counts_as_its_messages_and_tools(api: httpx.Client) -> None:
    tools = [{"type": "function", "function": FUNCTION}]
    body = {
        "messages": MESSAGES,
        "tools": tools,
        "tool_choice": "auto",
        "temperature": 0.2,
        "stream": True,
        "stream_options": {"include_usage": True},
        "response_format": {"type": "json_object"},
        "max_completion_tokens": 100,
        "metadata": {"a": "b"},
        "stop": ["\n"],
        "user": "u",
    }

    assert count(api, **body) == count(api, messages=MESSAGES, tools=tools)


def test_a_whole_responses_body_counts_as_the_prompt_that_it_becomes(api: httpx.Client) -> None:
    tools = [{"type": "function", **FUNCTION}]
    body = {
        "instructions": "Be brief.",
        "tools": tools,
        "text": {"format": {"type": "text"}, "verbosity": "low"},
        "reasoning": {"effort": "low"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "truncation": "auto",
    }
    wanted = count(api, messages=MESSAGES, tools=tools)

    assert count(api, input="Hello", **body) == wanted
    assert count(api, input=MESSAGES[1:], **body) == wanted
    assert count(api, input=ITEMS, **body) == wanted


@pytest.mark.parametrize("field", IGNORED, ids=lambda field: field.name)
@pytest.mark.parametrize("value", [None, "x", {"a": [1]}])
def test_what_is_ignored_may_be_anything(api: httpx.Client, field: Any, value: Any) -> None:
    assert count(api, input="Hello", **{field.name: value})["tokens"] == 1


@pytest.mark.parametrize("field", REFUSED, ids=lambda field: field.name)
def test_what_would_add_a_text_from_elsewhere_is_refused_by_name(api: httpx.Client, field: Any) -> None:
    body = {"model": "gpt-4o", "input": "Hello"}
    refused = api.post("/v1/tokens/count", json={**body, field.name: "x"})

    assert (refused.status_code, refused.json()["param"]) == (400, field.name)
    assert field.text in refused.json()["detail"]
    assert count(api, input="Hello", **{field.name: None})["tokens"] == 1


def test_a_text_alone_counts_as_itself_and_beside_what_is_counted_as_a_message(api: httpx.Client) -> None:
    alone, message = count(api, input="Hello")["tokens"], count(api, messages=MESSAGES[1:])["tokens"]
    tool = {"type": "function", **FUNCTION}
    tools = count(api, messages=[], tools=[tool])["tokens"] - count(api, messages=[])["tokens"]

    assert (alone, message) == (1, 1 + 3 + 1 + 3)
    assert count(api, input="Hello", tools=[])["tokens"] == alone
    assert count(api, input="Hello", tools=[tool])["tokens"] == message + tools


def test_functions_count_like_tools(api: httpx.Client) -> None:
    tools = [{"type": "function", "function": FUNCTION}]

    assert count(api, messages=MESSAGES, functions=[FUNCTION]) == count(api, messages=MESSAGES, tools=tools)


def test_a_schema_that_the_answer_has_to_follow_counts_and_makes_the_count_ours(api: httpx.Client) -> None:
    plain = count(api, messages=MESSAGES)
    by_chat = count(api, messages=MESSAGES, response_format={"type": "json_schema", "json_schema": SCHEMA})
    text = {"format": {"type": "json_schema", "strict": True, **SCHEMA}}
    by_responses = count(api, input="Hello", instructions="Be brief.", text=text)
    written = '{"name":"answer","schema":{"type":"object","properties":{"city":{"type":"string"}}}}'

    assert by_chat == by_responses
    assert by_chat["tokens"] == plain["tokens"] + count(api, input=written)["tokens"]
    assert (plain["exact"], by_chat["exact"]) == (True, False)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"temperatur": 1}, "temperatur"),
        ({"instructions": 7}, "instructions"),
        ({"instructions": [{"role": "user", "content": "x"}]}, "instructions"),
        ({"functions": {"name": "f"}}, "functions"),
        ({"functions": [7]}, "functions[0]"),
        ({"functions": [{"description": "f"}]}, "functions[0].name"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {}}, "response_format.type"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format.json_schema.schema"),
        ({"text": "x"}, "text"),
        ({"text": {"format": "json"}}, "text.format"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
    ],
)
def test_what_is_wrong_is_named(api: httpx.Client, body: dict[str, Any], param: str) -> None:
    answer = api.post("/v1/tokens/count", json={"model": "gpt-4o", "input": "Hello", **body})

    assert (answer.status_code, answer.json()["param"]) == (400, param)
