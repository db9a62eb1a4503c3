"""
An append that answers with the context for the next model call: one script, one request.

    batch -> Contexts, whose read is part of the script that appends -> the items, and the context of what is then there

What is wrong with the request stores nothing. Once the batch is there, the append has come about, and whatever keeps
the context from coming stands in its place.
"""

from typing import Any, NamedTuple

from shared.context.wanted import ContextRequest
from shared.conversations.append import Appending
from shared.conversations.batch import Batch
from shared.conversations.contexts import Context, Contexts
from shared.conversations.conversation import Conversation
from shared.conversations.info import Page
from shared.errors import ServiceError, StoreUnavailable
from shared.items.given import Given
from shared.request.after_response import Later
from shared.request.freshness import Freshness
from shared.store.attempts import Attempt, Besides, Written


class Appended(NamedTuple):
    """What was *written*, and the *context* right after it, or why there is none."""

    written: Written[Page]
    context: Context | ServiceError


class Call(NamedTuple):
    """One append, as its caller wants it: *settlement* settles a reservation in the same step."""

    conversation: Conversation
    attempt: Attempt
    given: Given
    settlement: Besides | None


class _Reading:
    """The read that is part of an append. *reply*: what its script said of that, once it has come about."""

    def __init__(self, appending: Appending, call: Call, batch: Batch) -> None:
        self._appending = appending
        self._call = call
        self._batch = batch
        self.entries: list[str] = []
        self.reply: list[Any] | None = None

    async def ask(self, names: list[str], arguments: list[str | int], reply_bytes_max: int) -> list[Any]:
        conversation, attempt, _, settlement = self._call
        # The append names tenant and conversation, and begins with the hash of the key.
        reader = Besides(names[len(conversation.names) :], arguments[1:])
        *self.reply, read, heads = await self._appending.send(
            conversation, attempt, self._batch, settlement, reader, reply_bytes_max
        )
        self.entries = self._batch.stored(heads)
        result: list[Any] = read
        return result


async def append_with_context(
    appending: Appending, contexts: Contexts, call: Call, wanted: ContextRequest, later: Later
) -> Appended:
    """
    Append as *call* says, and return the context that is *wanted* of the conversation as it then is.

    A batch that was there already is not appended again; the context is that of the conversation as it is now.

    Raises:   as Appending.append; nothing was stored then, but where it says so.
    """
    batch = await appending.batch(call.attempt, call.given)
    reading = _Reading(appending, call, batch)
    context: Context | ServiceError
    try:
        context = await contexts.context(call.conversation, wanted, Freshness(), frozenset(), later, reading)
    except ServiceError as error:
        if reading.reply is None:
            raise
        context = error
        if isinstance(error, StoreUnavailable):  # Which says that nothing was stored.
            context = StoreUnavailable(
                "The items are stored; the store did not answer when more was read for the context.",
                retry_after_s=error.retry_after_s,
            )
    assert reading.reply is not None
    return Appended(await appending.written(call.attempt, call.given, batch, reading.reply), context)
