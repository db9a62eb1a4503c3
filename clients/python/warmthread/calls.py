"""
The calls of a conversation as values, and what their answers mean. Sends nothing.

What a format's messages are is the service's affair (docs/dialects.md): here they are dicts, or models that dump to
them, as the official clients return them.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypedDict
from urllib.parse import urlencode

from warmthread.errors import problem
from warmthread.sending import JSON, Call

type Format = Literal["items", "chat", "anthropic", "gemini", "text"]

ITEMS_PER_PAGE_MAX = 100

RECALL_BUDGET = 20
"""Percent of the budget that the adapters of frameworks ask to recall in, where the memory does not say."""


class Dumps(Protocol):
    """A message of an official client: a pydantic model."""

    def model_dump(self, *, mode: str, by_alias: bool, exclude_unset: bool) -> dict[str, Any]: ...


type Message = Mapping[str, Any] | Dumps


class Wanted(TypedDict, total=False):
    """The parameters of a context; docs/api.md says what they mean."""

    format: Format
    model: str
    encoding: str
    budget: int
    reserve_output: int
    overhead_tokens: int
    document_budget: int
    stable_prefix: bool
    cache_control: bool
    cache_ttl: str
    since: int
    tool_results: str
    recall_budget: int
    query: str
    include: str
    explain: bool


@dataclass(frozen=True, slots=True)
class Context:
    """
    What goes to the model. *messages*: in *format*, whatever that calls them; none for `text`. *system*: Anthropic's or
    Gemini's system prompt, None without. *omitted*: what was left out, `unsupported` what the format cannot carry.
    *body*: the whole answer.
    """

    format: str
    messages: list[JSON]
    system: Any
    text: str
    tokens: int
    budget: int
    version: int
    omitted: JSON
    body: JSON

    @property
    def pressure(self) -> JSON:
        """How much more there is than the budget holds, and through which item a summary would make room."""
        return dict(self.body["pressure"])

    @property
    def arguments(self) -> JSON:
        """The same under the names of the provider's request, to be passed on: `create(**context.arguments)`."""
        names = ("messages", "input", "system", "contents", "system_instruction", "text")
        return {name: self.body[name] for name in names if self.body.get(name)}


def create(
    wanted: Wanted,
    messages: Iterable[Message],
    system: Any,
    metadata: Mapping[str, str] | None,
    user: str | None,
    agent: str | None,
) -> Call:
    """Return the call that makes a conversation of *user* and *agent*, with its first *messages*."""
    given = [*messages]
    body: JSON = {}
    if given:
        body = _given(wanted, given, system)
    elif system is not None:  # Which stands beside messages only, where it is not one of them.
        body = {"items": [{"role": "system", "content": system}]}
    if metadata is not None:
        body["metadata"] = dict(metadata)
    body |= {name: value for name, value in (("user", user), ("agent", agent)) if value is not None}
    return Call("POST", "/v1/conversations", body, _once(None))


def append(
    conversation_id: str, wanted: Wanted, messages: Iterable[Message], system: Any, idempotency_key: str | None
) -> Call:
    """Return the call that appends *messages*."""
    path = f"/v1/conversations/{conversation_id}/items"
    return Call("POST", path, _given(wanted, [*messages], system), _once(idempotency_key))


def turn(
    conversation_id: str, wanted: Wanted, messages: Iterable[Message], system: Any, idempotency_key: str | None
) -> Call:
    """Return the call that appends *messages* and answers with the context right after them."""
    path = f"/v1/conversations/{conversation_id}/items"
    body = {**_given(wanted, [*messages], system), "context": dict(wanted)}
    return Call("POST", path, body, _once(idempotency_key))


def context(conversation_id: str, wanted: Wanted) -> Call:
    """Return the call that reads a context."""
    query = {name: str(value).lower() if isinstance(value, bool) else value for name, value in wanted.items()}
    return Call("GET", f"/v1/conversations/{conversation_id}/context?{urlencode(query)}")


def items(conversation_id: str, after: str | None, limit: int, order: str) -> Call:
    """Return the call that reads a page of items."""
    query = {"limit": limit, "order": order, **({"after": after} if after else {})}
    return Call("GET", f"/v1/conversations/{conversation_id}/items?{urlencode(query)}")


def delete_item(conversation_id: str, item_id: str) -> Call:
    """Return the call that blanks an item."""
    return Call("DELETE", f"/v1/conversations/{conversation_id}/items/{item_id}", headers=_once(None))


def summarise(conversation_id: str, text: str, through: str) -> Call:
    """Return the call that has *text* stand for all items up to *through*."""
    body = {"through": through, "text": text}
    return Call("POST", f"/v1/conversations/{conversation_id}/summary", body, _once(None))


def look(conversation_id: str) -> Call:
    """Return the call that reads what there is of a conversation besides its items."""
    return Call("GET", f"/v1/conversations/{conversation_id}")


def delete(conversation_id: str) -> Call:
    """Return the call that removes a conversation and its items."""
    return Call("DELETE", f"/v1/conversations/{conversation_id}", headers=_once(None))


def read_context(body: JSON) -> Context:
    """Return what an answer that is a context says."""
    return Context(
        format=body["format"],
        messages=body.get("messages") or body.get("input") or body.get("contents") or [],
        system=body.get("system") or body.get("system_instruction") or None,
        text=body.get("text", ""),
        tokens=body["tokens"],
        budget=body["budget"],
        version=body["version"],
        omitted=body["omitted"],
        body=body,
    )


def read_turn(answer: JSON) -> Context:
    """Return the context of a turn. Raises Problem, `is_appended`: the items are stored and it could not be made."""
    body = answer["context"]
    if "error" in body:
        error = body["error"]
        raise problem(error["status"], {"detail": error["message"], **error}, is_appended=True)
    return read_context(body)


def dumped(message: Message) -> JSON:
    """Return *message* as JSON has it."""
    if isinstance(message, Mapping):
        return dict(message)
    return message.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _given(wanted: Wanted, messages: list[Message], system: Any) -> JSON:
    together = [dumped(message) for message in messages]
    called = wanted.get("format", "items")
    if called == "items":
        return {"items": together}
    # A text is what comes out; chat messages are what goes in.
    return {
        "messages": together,
        "format": "chat" if called == "text" else called,
        **({} if system is None else {"system": system}),
    }


def _once(idempotency_key: str | None) -> dict[str, str]:
    return {"idempotency-key": idempotency_key or secrets.token_hex(16)}
