"""
langchain-core and LangGraph over a memory of chat messages.

    WarmthreadChatMessageHistory   a history whose `messages` are a context
    trimmer                        messages in, what goes to the model out
    pre_model_hook                 the same for a LangGraph agent, whose own state stays whole

The trimmer and the hook append what is new and get the context in one request. New is what follows the last message
that is marked as known; the mark stands in its `response_metadata`, so it travels with checkpoints, and another
instance goes on from it. Use one of the three for a conversation: each appends what it is given.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    InvalidToolCall,
    convert_to_messages,
    convert_to_openai_messages,
)
from langchain_core.runnables import RunnableConfig, RunnableLambda

from warmthread.chat import MARK, paired
from warmthread.memory import Memory
from warmthread.sending import JSON

type Find = Callable[[RunnableConfig], Memory]
"""Returns the memory of the conversation that a run belongs to, by its `thread_id` for instance."""

_SAID = ("text", "refusal")


class WarmthreadChatMessageHistory(BaseChatMessageHistory):
    """
    The history of one conversation. *memory* must name a `budget`: `messages` are its context, and not all there is.

    `clear` goes on with a new conversation, whose id `memory.conversation_id` then is.
    """

    def __init__(self, memory: Memory) -> None:
        memory.ask_in("chat")
        self.memory = memory

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]  # a property, as its documentation asks for
        return [from_chat(message) for message in self.memory.context().messages]

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        self.memory.append([to_chat(message) for message in messages])

    def clear(self) -> None:
        self.memory.restart()


def trimmer(memory: Memory | Find) -> RunnableLambda[list[BaseMessage], list[BaseMessage]]:
    """Return what appends the new of the messages that it gets, and answers with the context, all of it marked."""

    def trim(messages: list[BaseMessage], config: RunnableConfig) -> list[BaseMessage]:
        return fit(_found(memory, config), messages)

    return RunnableLambda(trim)


def pre_model_hook(memory: Memory | Find) -> RunnableLambda[Any, Any]:
    """
    Return a node that goes before the model: it appends what is new of the state's `messages`, and makes the context
    the model's input. The state keeps its messages; the newest of them is marked.
    """

    def hook(state: Mapping[str, Any], config: RunnableConfig) -> dict[str, Any]:
        messages: list[BaseMessage] = state["messages"]
        found = _found(memory, config)
        return {"llm_input_messages": fit(found, messages), "messages": [_marked(messages[-1], found)]}

    return RunnableLambda(hook)


def fit(memory: Memory, messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """
    Append those of *messages* that *memory* has not, and return the context, each of its messages marked.

    One request. What is repeated after a crash, with the same ids, is appended once. Raises as Memory.turn.
    """
    memory.ask_in("chat")
    known = max((index + 1 for index, each in enumerate(messages) if MARK in each.response_metadata), default=0)
    new = messages[known:]
    given = [to_chat(message) for message in new]
    context = memory.turn(given, idempotency_key=_attempt(memory, new, given)) if new else memory.context()
    held = [(to_chat(message), message) for message in messages]
    return [_marked(each or from_chat(message), memory) for message, each in paired(context.messages, held)]


def to_chat(message: BaseMessage) -> JSON:
    """Return *message* as a chat message. Thinking has no form there, and is left out."""
    chat: JSON = convert_to_openai_messages(message)
    if isinstance(message, AIMessage):
        if isinstance(chat.get("content"), list):
            chat["content"] = [part for part in chat["content"] if part.get("type") in _SAID]
        broken = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"] or "", "arguments": call["args"] or ""},
            }
            for call in message.invalid_tool_calls
        ]
        if broken:
            chat["tool_calls"] = [*chat.get("tool_calls", []), *broken]
    if chat["role"] == "tool":
        chat.pop("name", None)
    return chat


def from_chat(message: JSON) -> BaseMessage:
    """Return a chat message as the framework's. Calls whose arguments are no JSON object are `invalid_tool_calls`."""
    calls = message.get("tool_calls") or []
    broken = [call for call in calls if not _is_object(call["function"]["arguments"])]
    whole = [call for call in calls if call not in broken]
    made = convert_to_messages([{**message, "content": message.get("content") or "", "tool_calls": whole}])[0]
    if isinstance(made, AIMessage):
        made.invalid_tool_calls = [
            InvalidToolCall(
                type="invalid_tool_call",
                id=call["id"],
                name=call["function"]["name"],
                args=call["function"]["arguments"],
                error=None,
            )
            for call in broken
        ]
    return made


def _is_object(arguments: str) -> bool:
    try:
        return isinstance(json.loads(arguments), dict)
    except ValueError:
        return False


def _found(memory: Memory | Find, config: RunnableConfig) -> Memory:
    return memory if isinstance(memory, Memory) else memory(config)


def _marked(message: BaseMessage, memory: Memory) -> BaseMessage:
    metadata = {**message.response_metadata, MARK: memory.conversation_id}
    return message.model_copy(update={"response_metadata": metadata})


def _attempt(memory: Memory, new: Sequence[BaseMessage], given: list[JSON]) -> str | None:
    """Return the same key for the same messages, where they have ids; None lets the client make one."""
    if not all(message.id for message in new):
        return None
    told = json.dumps([memory.conversation_id, [message.id for message in new], given], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()
