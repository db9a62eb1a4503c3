"""Calls of one conversation: within a deadline, never applied twice, refused with what the problem says."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from conftest import Counts, Service

from scripts.faults.server import Fault, FaultyServer
from warmthread import (
    AsyncMemory,
    ContextDoesNotFit,
    Format,
    InvalidRequest,
    Memory,
    NotFound,
    Unauthorized,
    Unreachable,
)

HELLO = {"role": "user", "content": "hello"}
LONG = {"role": "user", "content": "word " * 500}


@pytest.fixture
def front(service: Service) -> Iterator[FaultyServer]:
    """What stands in front of the service, and misbehaves."""
    with FaultyServer(service.url) as server:
        yield server


@pytest.fixture
def memory(service: Service, http: httpx.Client) -> Memory:
    return Memory.create(service.url, service.key, http=http, format="chat", model="gpt-4o", budget=400)


@pytest.fixture
def faulty(service: Service, front: FaultyServer, memory: Memory) -> Iterator[Memory]:
    """The same conversation, reached through what misbehaves."""
    with Memory(front.url, service.key, memory.conversation_id, timeout_s=2, **memory.wanted) as faulty:
        yield faulty


def test_a_turn_is_one_request_and_answers_with_the_context(service: Service, memory: Memory, counts: Counts) -> None:
    counts.requests = 0
    service.store.reset()
    context = memory.turn([HELLO])

    assert (counts.requests, service.store.requests) == (1, 1)
    assert context.arguments == {"messages": [HELLO]}
    assert (context.tokens, context.budget, context.version) == (8, 400, 1)
    assert memory.context() == context
    assert [item["role"] for item in memory.items()] == ["user"]


@pytest.mark.parametrize("fault", [Fault.CLOSE, Fault.TRUNCATE])
def test_a_write_whose_answer_was_lost_is_sent_again_and_applied_once(
    front: FaultyServer, faulty: Memory, memory: Memory, fault: Fault
) -> None:
    front.faults.append(fault)
    context = faulty.turn([HELLO])

    assert len(front.paths) == 2
    assert context.version == 1
    assert len(memory.items()) == 1


def test_a_write_that_is_never_answered_ends_in_time_and_says_that_it_may_be_stored(
    front: FaultyServer, faulty: Memory
) -> None:
    faulty.timeout_s = 0.5
    front.fault = Fault.SILENT
    with pytest.raises(Unreachable) as failed:
        faulty.append([HELLO])

    assert failed.value.outcome_unknown


def test_an_answer_that_comes_too_slowly_is_given_up(front: FaultyServer, faulty: Memory, memory: Memory) -> None:
    memory.append([LONG])
    faulty.timeout_s = 0.5
    faulty.wanted["budget"] = 5_000
    front.fault = Fault.DRIP
    with pytest.raises(Unreachable) as failed:
        faulty.context()

    assert not failed.value.outcome_unknown


def test_what_could_not_be_sent_is_not_stored(front: FaultyServer, faulty: Memory) -> None:
    front.leave()
    with pytest.raises(Unreachable) as failed:
        faulty.append([HELLO])

    assert not failed.value.outcome_unknown
    front.come_back()


async def test_the_same_holds_under_asyncio(front: FaultyServer, faulty: Memory, memory: Memory) -> None:
    async with AsyncMemory(front.url, memory.key, memory.conversation_id, timeout_s=2, **memory.wanted) as same:
        front.faults.append(Fault.CLOSE)
        assert (await same.turn([HELLO])).version == 1
        assert len(await same.items()) == 1
        same.timeout_s = 0.3
        front.fault = Fault.SILENT
        with pytest.raises(Unreachable) as failed:
            await same.append([HELLO])

    assert failed.value.outcome_unknown


def test_a_turn_whose_context_does_not_fit_is_stored_and_says_so(memory: Memory) -> None:
    with pytest.raises(ContextDoesNotFit) as refused:
        memory.turn([LONG])

    assert refused.value.is_appended
    assert refused.value.needed_tokens > 500
    assert len(memory.items()) == 1
    with pytest.raises(ContextDoesNotFit) as refused:
        memory.context()
    assert not refused.value.is_appended


def test_a_refusal_names_the_place_and_stores_nothing(memory: Memory) -> None:
    with pytest.raises(InvalidRequest) as refused:
        memory.turn([{"role": "user", "content": [{"type": "hologram"}]}])

    assert refused.value.param == "messages[0].content[0].type"
    assert refused.value.request_id.startswith("req_")
    assert refused.value.fields["status"] == 400
    assert memory.items() == []


def test_an_unknown_conversation_and_an_unknown_key_are_told_apart(service: Service, memory: Memory) -> None:
    with pytest.raises(NotFound):
        Memory(service.url, service.key, "conv_none", http=memory.http).items()
    with pytest.raises(Unauthorized):
        Memory(service.url, "wt_nobody_" + "0" * 32, memory.conversation_id, http=memory.http).items()


def test_a_page_that_is_no_problem_is_an_error_all_the_same(front: FaultyServer, faulty: Memory) -> None:
    front.fault = Fault.REFUSE_403
    with pytest.raises(Unauthorized) as refused:
        faulty.append([HELLO])
    assert "AccessDenied" in refused.value.detail

    front.fault = Fault.NOT_JSON
    with pytest.raises(Unreachable):
        faulty.append([HELLO])


def test_the_same_key_appends_once(memory: Memory) -> None:
    first = memory.append([HELLO], idempotency_key="turn-1")

    assert memory.append([HELLO], idempotency_key="turn-1") == first
    assert len(memory.items()) == 1


def test_items_are_paged_and_deleted_and_a_conversation_starts_again(memory: Memory) -> None:
    first, second = memory.append([HELLO, LONG])
    before = memory.conversation_id

    assert memory.items(limit=1) == [first]
    assert memory.items(after=first["id"]) == [second]
    memory.delete_item(second["id"])
    assert memory.items() == [first]
    memory.restart()
    assert memory.conversation_id != before
    assert memory.items() == []
    with pytest.raises(NotFound):
        Memory(memory.url, memory.key, before, http=memory.http).items()


def test_who_starts_again_is_who_it_was(memory: Memory) -> None:
    mine = Memory.create(memory.url, memory.key, user="anna", agent="bot", http=memory.http)
    mine.restart()
    headers = {"authorization": f"Bearer {memory.key}"}
    told = memory.http.get(f"{memory.url}/v1/conversations/{mine.conversation_id}", headers=headers).json()

    assert (told["user"], told["agent"]) == ("anna", "bot")


def test_the_key_is_not_shown(memory: Memory) -> None:
    assert memory.key not in repr(memory)


@pytest.mark.parametrize(
    ("called", "system", "names"),
    [
        ("chat", None, {"messages"}),
        ("items", None, {"input"}),
        ("anthropic", "Be brief.", {"messages", "system"}),
        ("gemini", "Be brief.", {"contents", "system_instruction"}),
        ("text", None, {"text"}),
    ],
)
def test_each_format_has_the_names_of_its_provider(
    service: Service, http: httpx.Client, called: Format, system: str | None, names: set[str]
) -> None:
    message = {"role": "user", "parts": [{"text": "hello"}]} if called == "gemini" else HELLO
    facts: dict[str, Any] = {"metadata": {"k": "1"}, "user": "anna", "agent": "support"}
    memory = Memory.create(
        service.url, service.key, [message], http=http, system=system, format=called, budget=100, **facts
    )
    shown = http.get(
        f"{service.url}/v1/conversations/{memory.conversation_id}", headers={"authorization": f"Bearer {service.key}"}
    ).json()

    assert {name: shown[name] for name in facts} == facts
    assert memory.context().arguments.keys() == names
    assert (memory.context().system is not None) == (system is not None)
