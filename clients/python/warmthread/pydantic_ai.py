"""
A history processor for pydantic-ai: each model request gets a context in the place of the whole history.

    Agent(model, capabilities=[ProcessHistory(history_processor(memory))])

What is new is appended and the context read in one request. New is what follows the last message that is marked as
known; the mark stands in its `metadata`, which no model sees, so it travels with a stored history.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from pydantic_ai.messages import (
    BinaryContent,
    CachePoint,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    RetryFeedbackPart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from warmthread.chat import MARK, paired, text_of
from warmthread.memory import AsyncMemory
from warmthread.sending import JSON

type Processor = Callable[[list[ModelMessage]], Awaitable[list[ModelMessage]]]
type Held = tuple[ModelMessage, ModelRequestPart | None]
"""A message of the history; of a request, one of its parts."""


def history_processor(memory: AsyncMemory) -> Processor:
    """
    Return the processor of one conversation. *memory* must name a `budget`; the agent's instructions and tools are its
    `overhead_tokens`.

    Raises, when it runs:   as AsyncMemory.turn; ValueError: a part has no form as a chat message.
    """
    memory.ask_in("chat")

    async def process(messages: list[ModelMessage]) -> list[ModelMessage]:
        known = max((index + 1 for index, each in enumerate(messages) if MARK in (each.metadata or {})), default=0)
        new = [chat for chat, _ in _chats(messages[known:])]
        context = await memory.turn(new) if new else await memory.context()
        return _messages(paired(context.messages, _chats(messages)), messages, memory.conversation_id)

    return process


def _chats(messages: Iterable[ModelMessage]) -> list[tuple[JSON, Held]]:
    """Return *messages* as chat messages, each with what it was made of."""
    chats: list[tuple[JSON, Held]] = []
    for message in messages:
        if isinstance(message, ModelResponse):
            chats.append((_assistant(message.parts), (message, None)))
        else:
            chats += [(_said(part), (message, part)) for part in message.parts]
    return chats


def _assistant(parts: Sequence[ModelResponsePart]) -> JSON:
    texts, calls = [], []
    for part in parts:
        if isinstance(part, TextPart):
            texts.append({"type": "text", "text": part.content})
        elif isinstance(part, ToolCallPart):
            function = {"name": part.tool_name, "arguments": part.args_as_json_str()}
            calls.append({"id": part.tool_call_id, "type": "function", "function": function})
        elif not isinstance(part, ThinkingPart):  # Which chat has no form for.
            raise _formless(part)
    return {"role": "assistant", "content": texts or None, **({"tool_calls": calls} if calls else {})}


def _said(part: ModelRequestPart) -> JSON:
    if isinstance(part, SystemPromptPart):
        return {"role": "system", "content": part.content}
    if isinstance(part, UserPromptPart):
        content = part.content
        return {"role": "user", "content": content if isinstance(content, str) else _user_parts(content)}
    if isinstance(part, ToolReturnPart):
        return {"role": "tool", "tool_call_id": part.tool_call_id, "content": part.model_response_str()}
    if isinstance(part, RetryFeedbackPart):
        return {"role": "user", "content": part.model_response()}
    raise _formless(part)


def _user_parts(content: Iterable[Any]) -> list[JSON]:
    parts: list[JSON] = []
    for each in content:
        if isinstance(each, str):
            parts.append({"type": "text", "text": each})
        elif isinstance(each, TextContent):
            parts.append({"type": "text", "text": each.content})
        elif isinstance(each, ImageUrl):
            parts.append({"type": "image_url", "image_url": {"url": each.url}})
        elif isinstance(each, BinaryContent) and each.is_image:
            parts.append({"type": "image_url", "image_url": {"url": each.data_uri}})
        elif not isinstance(each, CachePoint):
            raise _formless(each)
    return parts


def _messages(
    pairs: list[tuple[JSON, Held | None]], given: Sequence[ModelMessage], conversation_id: str
) -> list[ModelMessage]:
    """Return the messages of *pairs*: neighbouring parts are one request, the last of which is the newest *given*."""
    mark = {MARK: conversation_id}
    names = {call["id"]: call["function"]["name"] for chat, _ in pairs for call in chat.get("tool_calls") or []}
    messages: list[ModelMessage] = []
    parts: list[ModelRequestPart] = []
    source: ModelRequest | None = None

    def close() -> None:
        nonlocal source
        if parts:
            request = source or ModelRequest(parts=[])
            messages.append(replace(request, parts=[*parts], metadata={**(request.metadata or {}), **mark}))
            parts.clear()
            source = None

    for chat, held in pairs:
        if chat["role"] == "assistant":
            close()
            response = held[0] if held and isinstance(held[0], ModelResponse) else _response(chat)
            messages.append(replace(response, metadata={**(response.metadata or {}), **mark}))
            continue
        parts.append(held[1] if held and held[1] else _part(chat, names))
        if held and isinstance(held[0], ModelRequest):
            source = held[0]
    # The agent's instructions stand in the newest request.
    source = given[-1] if given and isinstance(given[-1], ModelRequest) else source
    close()
    return messages


def _response(chat: JSON) -> ModelResponse:
    text = text_of(chat.get("content"))
    calls = [
        ToolCallPart(call["function"]["name"], call["function"]["arguments"], call["id"])
        for call in chat.get("tool_calls") or []
    ]
    return ModelResponse(parts=[*([TextPart(text)] if text else []), *calls])


def _part(chat: JSON, names: dict[str, str]) -> ModelRequestPart:
    content = chat.get("content") or ""
    if chat["role"] == "tool":
        called = chat["tool_call_id"]
        return ToolReturnPart(names.get(called, ""), text_of(content), called)
    if chat["role"] in ("system", "developer"):
        return SystemPromptPart(text_of(content))
    if isinstance(content, str):
        return UserPromptPart(content)
    return UserPromptPart(
        [part["text"] if part["type"] == "text" else ImageUrl(part["image_url"]["url"]) for part in content]
    )


def _formless(part: object) -> ValueError:
    return ValueError(f"{type(part).__name__} has no form as a chat message: it cannot be remembered")
