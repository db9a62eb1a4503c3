"""What the scripts refuse, as errors for the caller."""

from typing import Any, NoReturn

from shared.config import Settings
from shared.errors import (
    BeingErased,
    ConversationExists,
    DuplicateItem,
    InvalidValue,
    KeyReused,
    NotFound,
    StorageExceeded,
    TooLarge,
    VersionMoved,
)
from shared.request.invocation import insufficient, invalid_key
from shared.request.roles import READ
from shared.store.attempts import etag

MISSING = {
    "unknown_item": ("There is no item {!r} in this conversation.", "item_id"),
    "unknown_summary": ("There is no summary of the conversation {!r}.", "conversation_id"),
    "after": ("There is nothing with the id {!r} to start after.", "after"),
    "reservation": ("There is no such reservation; nothing was stored.", "reservation"),
}
"""What is missing, as text and by the name of its field."""


def missing(what: str, name: str) -> NotFound:
    """Return the error for *what*, one of MISSING, that is not there by the id *name*."""
    text, param = MISSING[what]
    return NotFound(text.format(name), param=param)


def id_taken(conversation_id: str) -> ConversationExists:
    """Return the error for a conversation that cannot have the id that was chosen for it."""
    return ConversationExists(
        f"There is a conversation {conversation_id!r}, or one was deleted within the last day; nothing was stored.",
        param="id",
    )


def _key_reused() -> KeyReused:
    return KeyReused(
        "This Idempotency-Key was sent with another method, path or body before; nothing was stored.",
        param="Idempotency-Key",
    )


def _being_erased(param: str) -> BeingErased:
    return BeingErased("The user is being erased: until that is done nothing is written for them.", param=param)


def raise_refusal(reply: list[Any], name: str, settings: Settings, *, param: str = "items") -> NoReturn:
    """
    Raise the error that the *reply* of a script stands for; *name* is the id it could not find, *param* what was too
    much.
    """
    match reply[0]:
        case "unauthorised" | "forbidden":
            # Of a script outside of any invocation, which would have raised it.
            raise insufficient(reply[1], READ) if len(reply) > 1 else invalid_key()
        case "unknown":
            raise NotFound(f"There is no conversation {name!r}.", param="conversation_id")
        case ("unknown_item" | "unknown_summary" | "after" | "reservation") as what:
            raise missing(what, name)
        case ("reused" | "erasing") as what:
            raise _key_reused() if what == "reused" else _being_erased(param)
        case "moved":
            _, generation, version, chain = reply
            raise VersionMoved(
                f"The conversation is at version {version}, which If-Match does not name; nothing was stored.",
                param="If-Match",
                etag=etag(generation, version, chain),
                version=int(version),
            )
        case "taken":
            field = f"items[{reply[1]}].id"
            raise DuplicateItem(f"{field} is taken in this conversation; nothing was stored.", param=field)
        case "entries":
            limit = settings.conversation_entries_max
            raise TooLarge(f"The conversation would exceed {limit} entries.", param=param, limit_entries=limit)
        case "bytes":
            limit = settings.conversation_bytes_max
            raise TooLarge(f"The conversation would exceed {limit} bytes.", param=param, limit_bytes=limit)
        case "tenant_bytes":
            raise StorageExceeded(
                f"The tenant's conversations would take more than {reply[1]} bytes; nothing was stored.",
                code="tenant_bytes_exceeded",
                limit_bytes=int(reply[1]),
            )
        case "pinned":
            raise InvalidValue(
                f"System and developer messages would take {reply[1]} tokens of every context; "
                f"the limit is {settings.pinned_tokens_max}.",
                param=param,
                code="pinned_tokens_exceeded",
                limit_tokens=settings.pinned_tokens_max,
            )
        case "documents":
            raise InvalidValue(
                f"The conversation would mention {reply[1]} documents; "
                f"the limit is {settings.conversation_documents_max}.",
                param=param,
                code="documents_exceeded",
                limit_documents=settings.conversation_documents_max,
            )
        case other:
            raise AssertionError(f"a script replied {other!r}")
