"""
One conversation as an agent uses it: append what happened, get what goes to the model.

    turn      both, in one request
    append    what happened, all of it or nothing
    context   everything that matters, in at most `budget` tokens

Memory blocks, AsyncMemory is awaited; they do the same. Every call has a deadline. Reads, and writes by the
Idempotency-Key that each of them gets, are sent again within it; none applies twice.
"""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self, Unpack

import httpx

from warmthread import calls
from warmthread.calls import ITEMS_PER_PAGE_MAX, Context, Message, Wanted
from warmthread.sending import JSON, Call, asend, send

TIMEOUT_S = 10.0
"""Longer than the service takes to find out that its store is away."""


class Conversation:
    """
    A conversation of the service at *url*, called with *key*, and the parameters of its contexts: *wanted*, which each
    call may replace. *timeout_s* bounds each call, attempts included.
    """

    def __init__(
        self,
        url: str,
        key: str,
        conversation_id: str,
        *,
        timeout_s: float = TIMEOUT_S,
        **wanted: Unpack[Wanted],
    ) -> None:
        self.url = url.rstrip("/").removesuffix("/v1")
        self.key = key
        self.conversation_id = conversation_id
        self.timeout_s = timeout_s
        self.wanted = wanted

    def ask_in(self, wanted_format: calls.Format) -> None:
        """Have contexts come in *wanted_format*, and recall in RECALL_BUDGET where nothing else is wanted."""
        self.wanted["format"] = wanted_format
        self.wanted.setdefault("recall_budget", calls.RECALL_BUDGET)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r}, conversation_id={self.conversation_id!r})"

    def _wanted(self, wanted: Wanted) -> Wanted:
        return {**self.wanted, **wanted}


class Memory(Conversation):
    """A conversation. *http*: a client to share between conversations; one of its own without."""

    def __init__(
        self,
        url: str,
        key: str,
        conversation_id: str,
        *,
        timeout_s: float = TIMEOUT_S,
        http: httpx.Client | None = None,
        **wanted: Unpack[Wanted],
    ) -> None:
        super().__init__(url, key, conversation_id, timeout_s=timeout_s, **wanted)
        self.http = http or httpx.Client()

    @classmethod
    def create(
        cls,
        url: str,
        key: str,
        messages: Iterable[Message] = (),
        *,
        system: Any = None,
        metadata: Mapping[str, str] | None = None,
        user: str | None = None,
        agent: str | None = None,
        timeout_s: float = TIMEOUT_S,
        http: httpx.Client | None = None,
        **wanted: Unpack[Wanted],
    ) -> Self:
        """
        Make a conversation with its first *messages*, and Anthropic's or Gemini's *system*. *user*, *agent*: whose it
        is, as you call them; conversations are listed by both. Raises Problem.
        """
        memory = cls(url, key, "", timeout_s=timeout_s, http=http, **wanted)
        call = calls.create(wanted, messages, system, metadata, user, agent)
        memory.conversation_id = memory._send(call)["id"]
        return memory

    def turn(
        self,
        messages: Iterable[Message],
        *,
        system: Any = None,
        idempotency_key: str | None = None,
        **wanted: Unpack[Wanted],
    ) -> Context:
        """
        Append *messages*, all of them or none, and return the context right after them.

        Raises:   Problem: nothing was stored, unless `is_appended`: then all of it is, and only the context is missing.
                  Unreachable: `outcome_unknown` says whether they may be stored; the same call with the same
                  *idempotency_key* finds out, and stores them once.
        """
        call = calls.turn(self.conversation_id, self._wanted(wanted), messages, system, idempotency_key)
        return calls.read_turn(self._send(call))

    def append(
        self, messages: Iterable[Message], *, system: Any = None, idempotency_key: str | None = None
    ) -> list[JSON]:
        """Append *messages*, all of them or none, and return the items that they are now. Raises as turn()."""
        call = calls.append(self.conversation_id, self.wanted, messages, system, idempotency_key)
        return list(self._send(call)["data"])

    def context(self, **wanted: Unpack[Wanted]) -> Context:
        """Return what goes to the model. Raises ContextDoesNotFit, Problem, Unreachable."""
        return calls.read_context(self._send(calls.context(self.conversation_id, self._wanted(wanted))))

    def items(self, *, after: str | None = None, limit: int = ITEMS_PER_PAGE_MAX, order: str = "asc") -> list[JSON]:
        """Return a page of at most *limit* items, those behind the item *after*."""
        return list(self._send(calls.items(self.conversation_id, after, limit, order))["data"])

    def summarise(self, text: str, through: str) -> None:
        """Have contexts show *text* in the place of all items up to *through*. Raises Problem: a unit would be torn."""
        self._send(calls.summarise(self.conversation_id, text, through))

    def delete_item(self, item_id: str) -> None:
        """Blank an item."""
        self._send(calls.delete_item(self.conversation_id, item_id))

    def restart(self) -> None:
        """
        Remove the conversation and its items, and go on with a new one of the same user and agent: `conversation_id` is
        another.
        """
        now = self._send(calls.look(self.conversation_id))
        self._send(calls.delete(self.conversation_id))
        self.conversation_id = self._send(calls.create(self.wanted, (), None, None, now["user"], now["agent"]))["id"]

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _send(self, call: Call) -> JSON:
        return send(self.http, self, call)


class AsyncMemory(Conversation):
    """A conversation, under asyncio. *http*: a client to share between conversations; one of its own without."""

    def __init__(
        self,
        url: str,
        key: str,
        conversation_id: str,
        *,
        timeout_s: float = TIMEOUT_S,
        http: httpx.AsyncClient | None = None,
        **wanted: Unpack[Wanted],
    ) -> None:
        super().__init__(url, key, conversation_id, timeout_s=timeout_s, **wanted)
        self.http = http or httpx.AsyncClient()

    @classmethod
    async def create(
        cls,
        url: str,
        key: str,
        messages: Iterable[Message] = (),
        *,
        system: Any = None,
        metadata: Mapping[str, str] | None = None,
        user: str | None = None,
        agent: str | None = None,
        timeout_s: float = TIMEOUT_S,
        http: httpx.AsyncClient | None = None,
        **wanted: Unpack[Wanted],
    ) -> Self:
        """As Memory.create."""
        memory = cls(url, key, "", timeout_s=timeout_s, http=http, **wanted)
        call = calls.create(wanted, messages, system, metadata, user, agent)
        memory.conversation_id = (await memory._send(call))["id"]
        return memory

    async def turn(
        self,
        messages: Iterable[Message],
        *,
        system: Any = None,
        idempotency_key: str | None = None,
        **wanted: Unpack[Wanted],
    ) -> Context:
        """As Memory.turn."""
        call = calls.turn(self.conversation_id, self._wanted(wanted), messages, system, idempotency_key)
        return calls.read_turn(await self._send(call))

    async def append(
        self, messages: Iterable[Message], *, system: Any = None, idempotency_key: str | None = None
    ) -> list[JSON]:
        """As Memory.append."""
        call = calls.append(self.conversation_id, self.wanted, messages, system, idempotency_key)
        return list((await self._send(call))["data"])

    async def context(self, **wanted: Unpack[Wanted]) -> Context:
        """As Memory.context."""
        return calls.read_context(await self._send(calls.context(self.conversation_id, self._wanted(wanted))))

    async def items(
        self, *, after: str | None = None, limit: int = ITEMS_PER_PAGE_MAX, order: str = "asc"
    ) -> list[JSON]:
        """As Memory.items."""
        return list((await self._send(calls.items(self.conversation_id, after, limit, order)))["data"])

    async def summarise(self, text: str, through: str) -> None:
        """As Memory.summarise."""
        await self._send(calls.summarise(self.conversation_id, text, through))

    async def delete_item(self, item_id: str) -> None:
        """As Memory.delete_item."""
        await self._send(calls.delete_item(self.conversation_id, item_id))

    async def restart(self) -> None:
        """As Memory.restart."""
        now = await self._send(calls.look(self.conversation_id))
        await self._send(calls.delete(self.conversation_id))
        again = calls.create(self.wanted, (), None, None, now["user"], now["agent"])
        self.conversation_id = (await self._send(again))["id"]

    async def aclose(self) -> None:
        """Close the connections."""
        await self.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _send(self, call: Call) -> JSON:
        return await asend(self.http, self, call)
