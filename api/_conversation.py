"""
What the routes of a conversation have in common: how its parts are named, and how answers tell what became of them.
"""

from collections.abc import Iterable

from starlette.responses import Response

from shared.conversations.editing import Conversations
from shared.conversations.info import Page, dated
from shared.conversations.provenance import Provenance
from shared.http.answers import json_response, unchanged_response
from shared.http.headers import provenance_headers, replay_headers
from shared.http.serving import Asked
from shared.items.normalize import METADATA_KEY_CHARS_MAX, METADATA_PAIRS_MAX, METADATA_VALUE_CHARS_MAX
from shared.jsonbytes.write import Pieces, array, splice
from shared.request.parameters import Field, identifier, ignored, integer, json, owner

PREFIX = "/v1/conversations"
CREATED_AT = "created_at"
OPENAI_CLIENT = "x-stainless-lang"
"""What OpenAI's own clients send, with the name of a language."""

CONVERSATION = PREFIX + "/{conversation_id}"

CONVERSATION_ID = identifier("conversation_id", "conversation", "the conversation", required=True)
ITEM_ID = identifier("item_id", "item", "the item", required=True)
ONE, ITEM = (CONVERSATION_ID,), (CONVERSATION_ID, ITEM_ID)

AFTER = identifier("after", "item or conversation", "the page starts behind the element of this id")
LIMIT = integer("limit", 1, 100, "elements of a page", default=20)
INCLUDE = ignored(
    "include",
    f"`{CREATED_AT}`: OpenAI's own clients get the `created_at` of items as well; all else changes nothing",
)
METADATA = json(
    "metadata",
    "metadata",
    f"at most {METADATA_PAIRS_MAX} pairs of strings; keys of {METADATA_KEY_CHARS_MAX} characters and values of "
    f"{METADATA_VALUE_CHARS_MAX}",
)


def owner_fields(user: str, agent: str) -> tuple[Field, Field]:
    """Return the declarations of user and agent, with what each means there."""
    return owner("user", user), owner("agent", agent)


def editing(asked: Asked) -> Conversations:
    return Conversations(asked.state["store"], asked.state["settings"])


def shows_times(asked: Asked) -> bool:
    """
    Tell whether items are answered with when they were appended.

    To OpenAI's own clients only where they ask for it: frameworks send on to a model what they have read by these, and
    the Responses API refuses members that it does not know.
    """
    if OPENAI_CLIENT not in asked.request.headers:
        return True
    query = asked.request.query_params
    return any(CREATED_AT in query.getlist(name) for name in (INCLUDE.name, f"{INCLUDE.name}[]"))


def answer_items(asked: Asked, body: bytes | Pieces, provenance: Provenance) -> Response:
    """Answer with *body*, which is of items, or that the caller has it."""
    answer = answer_read(asked, body, provenance)
    answer.headers["vary"] = OPENAI_CLIENT
    return answer


def answer_read(asked: Asked, body: bytes | Pieces, provenance: Provenance, tag: str = "") -> Response:
    """Answer with *body*, or that the caller has it. *tag*: that of the answer, by default of the conversation."""
    tag = tag or provenance.etag
    headers = provenance_headers(provenance, tag)
    if tag in asked.known:
        return unchanged_response(asked.later, headers)
    return json_response(body, asked.later, headers)


def answer_written(
    asked: Asked, body: bytes | Pieces | dict[str, object], etag: str | None, *, is_replay: bool
) -> Response:
    """Answer with *body* what was written. *etag*: the state after it, None where nothing is left."""
    headers = ({"etag": etag} if etag else {}) | replay_headers(is_replay=is_replay)
    return json_response(body, asked.later, headers)


def write_page(page: Page, *, with_times: bool = False, context: Pieces | None = None, **more: object) -> Pieces:
    """
    Return the JSON of *page*, with *more* members, and a *context* where one goes with it. *with_times*: each of its
    items says when it was appended.
    """
    data: Iterable[bytes] = page.data
    if with_times and page.times is not None:
        data = map(dated, page.data, page.times)
    members = {"data": array(data)} | ({"context": context} if context is not None else {})
    rest = {"first_id": page.first_id, "last_id": page.last_id, "has_more": page.has_more, **more}
    return splice({"object": "list"}, members, rest)
