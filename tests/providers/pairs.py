"""The calls of a request with their results, for each format: who asks for both sees whose result a call gets."""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import orjson

Request = dict[str, Any]


class Called(NamedTuple):
    """A call or a result, as it stands: *arguments* are a string or an object, *result* is None for a call."""

    id: str
    name: str
    arguments: Any
    result: str | None


def pairs(context_format: str, request: Request) -> list[Called]:
    """
    Return the calls of *request* in their order, arguments read, each with its result, None while it is open.

    Asserts that no id stands twice, and that each result has a call.
    """
    calls: dict[str, Called] = {}
    results: dict[str, str] = {}
    for each in _READERS[context_format](request):
        held: dict[str, Any] = calls if each.result is None else results
        assert each.id not in held, f"{each.id} stands twice"
        held[each.id] = each if each.result is None else each.result
    assert results.keys() <= calls.keys()
    return [call._replace(arguments=_read(call.arguments), result=results.get(call.id)) for call in calls.values()]


def _read(arguments: Any) -> Any:
    try:
        return orjson.loads(arguments) if isinstance(arguments, str) else arguments
    except orjson.JSONDecodeError:
        return arguments


def _items(request: Request) -> Iterator[Called]:
    for item in request["input"]:
        if item["type"] == "function_call":
            yield Called(item["call_id"], item["name"], item["arguments"], None)
        elif item["type"] == "function_call_output":
            yield Called(item["call_id"], "", None, item["output"])


def _chat(request: Request) -> Iterator[Called]:
    for message in request["messages"]:
        for call in message.get("tool_calls", []):
            yield Called(call["id"], call["function"]["name"], call["function"]["arguments"], None)
        if message["role"] == "tool":
            yield Called(message["tool_call_id"], "", None, message["content"])


def _anthropic(request: Request) -> Iterator[Called]:
    for block in (block for message in request["messages"] for block in message["content"]):
        if block["type"] == "tool_use":
            yield Called(block["id"], block["name"], block["input"], None)
        elif block["type"] == "tool_result":
            texts = [part["text"] for part in block["content"]]
            yield Called(block["tool_use_id"], "", None, "\n".join(texts))


def _gemini(request: Request) -> Iterator[Called]:
    """Calls without ids pair by their order."""
    calls = results = 0
    for part in (part for content in request["contents"] for part in content["parts"]):
        if call := part.get("functionCall"):
            calls += 1
            yield Called(call.get("id", f"#{calls}"), call["name"], call.get("args", {}), None)
        elif response := part.get("functionResponse"):
            results += 1
            yield Called(response.get("id", f"#{results}"), "", None, str(response["response"].get("output", "")))


def _text(request: Request) -> Iterator[Called]:
    for block in request["text"].split("\n\n"):
        if called := re.fullmatch(r"assistant \(call (\S+)\): ([^(]*)\((.*)\)", block):
            yield Called(called[1], called[2], called[3], None)
        elif answered := re.fullmatch(r"tool \((\S+)\): (.*)", block):
            yield Called(answered[1], "", None, answered[2])


_READERS: dict[str, Callable[[Request], Iterator[Called]]] = {
    "items": _items,
    "chat": _chat,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "text": _text,
}
