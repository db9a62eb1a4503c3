"""The official clients work unchanged: nothing but `base_url` is set."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import openai
import pytest
from openai.types.responses import EasyInputMessageParam


def session_of(client: openai.AsyncOpenAI, conversation_id: str | None = None) -> Any:
    """
    Return a session of openai-agents.

    Imported here and by its name: it takes every process of a run seconds, and mypy a quarter of all its time.
    """
    return import_module("agents").OpenAIConversationsSession(conversation_id=conversation_id, openai_client=client)


@pytest.fixture
def client(service_url: str, key: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{service_url}/v1", api_key=key, max_retries=0) as client:
        yield client


def test_every_call_of_the_openai_client(client: openai.OpenAI) -> None:
    conversation = client.conversations.create(items=[{"role": "user", "content": "Hello"}], metadata={"topic": "demo"})
    assert conversation.object == "conversation"
    assert client.conversations.retrieve(conversation.id) == conversation
    assert client.conversations.update(conversation.id, metadata={"topic": "other"}).metadata == {"topic": "other"}

    added = client.conversations.items.create(
        conversation.id,
        items=[
            {"type": "function_call", "call_id": "c1", "name": "find", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "found"},
            {"role": "assistant", "content": "There."},
        ],
        include=["message.output_text.logprobs"],
    )
    assert [item.type for item in added.data] == ["function_call", "function_call_output", "message"]
    assert added.first_id == added.data[0].id

    one = client.conversations.items.retrieve(added.data[2].id or "", conversation_id=conversation.id)
    assert one == added.data[2]
    after = client.conversations.items.delete(added.data[2].id or "", conversation_id=conversation.id)
    assert after.id == conversation.id
    with pytest.raises(openai.NotFoundError):
        client.conversations.items.retrieve(added.data[2].id or "", conversation_id=conversation.id)
    assert client.conversations.delete(conversation.id).deleted is True


def test_the_client_pages_by_itself_through_everything(client: openai.OpenAI) -> None:
    conversation = client.conversations.create()
    messages = [EasyInputMessageParam(role="user", content=f"message {n}") for n in range(45)]
    client.conversations.items.create(conversation.id, items=messages)
    listed = client.conversations.items.list(conversation.id, limit=10, order="asc")

    assert [item.to_dict()["content"][0]["text"] for item in listed] == [f"message {n}" for n in range(45)]  # type: ignore[index]  # the client types content as object.
    assert len(list(client.conversations.items.list(conversation.id))) == 45


def test_errors_arrive_as_the_clients_own_exceptions(client: openai.OpenAI, service_url: str) -> None:
    conversation = client.conversations.create()
    nobody: Any = {"role": "nobody", "content": "x"}
    with pytest.raises(openai.BadRequestError) as refused:
        client.conversations.items.create(conversation.id, items=[nobody])
    with (
        openai.OpenAI(base_url=f"{service_url}/v1", api_key="wt_x_wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.conversations.create()

    assert (refused.value.param, refused.value.code) == ("items[0].role", "invalid_value")


async def test_every_call_of_the_agents_session(service_url: str, key: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{service_url}/v1", api_key=key, max_retries=0) as client:
        session = session_of(client)
        turns = [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi, how can I help?"},
        ]
        many = [{"role": "user", "content": f"question {n}"} for n in range(30)]
        await session.add_items(turns)
        await session.add_items(many)
        everything = await session.get_items()
        newest = await session.get_items(limit=2)
        popped = await session.pop_item()

        assert len(everything) == 32
        assert [item["content"][0]["text"] for item in newest] == ["question 28", "question 29"]
        assert popped is not None
        assert popped["content"][0]["text"] == "question 29"
        assert len(await session.get_items()) == 31
        await session.clear_session()
        assert await session.get_items() == []


async def test_a_session_returns_to_a_conversation_by_its_id(service_url: str, key: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{service_url}/v1", api_key=key, max_retries=0) as client:
        conversation = await client.conversations.create(items=[{"role": "user", "content": "kept"}])
        session = session_of(client, conversation.id)

        assert len(await session.get_items()) == 1
