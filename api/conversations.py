"""
GET    /v1/conversations                   the tenant's conversations, newest activity first, or those of a user
POST   /v1/conversations                   a new conversation
GET    /v1/conversations/{id}              the conversation
POST   /v1/conversations/{id}              new metadata, another expiry, user or agent; the conversation
DELETE /v1/conversations/{id}              gone, with its items
POST   /v1/conversations/{id}/fork         a copy up to one of its items, as a new conversation
POST   /v1/conversations/{id}/compact      take out what deletions left behind; the conversation
POST   /api/conversations                  warm this instance; for the cron

Its items, its contexts, its summary, exports and imports, and the erasing of a user: api/_items.py, api/_contexts.py,
api/_summaries.py, api/_exports.py, api/_users.py.
"""

from typing import Any

from starlette.responses import Response

from api import _contexts, _exports, _items, _summaries, _users
from api._conversation import (
    AFTER,
    CONVERSATION,
    LIMIT,
    METADATA,
    ONE,
    PREFIX,
    answer_read,
    answer_written,
    editing,
    owner_fields,
    write_page,
)
from shared.app import create_app
from shared.conversations.conversation import Conversation
from shared.errors import ConversationExists, DuplicateItem, NotFound, TextNotCountable, missing_value
from shared.http.answers import json_response
from shared.http.serving import Asked
from shared.items.document_paths import INSTANCE_PATH
from shared.items.given import FIELDS, given_forms, read_given
from shared.request import roles
from shared.request.owners import Owners
from shared.request.parameters import identifier, integer, json, owner, pairs, string
from shared.routes import CREATE, READ, WRITE, Body, Form, Route

EXPIRY = integer("expires_after_s", 0, 3_650 * 86_400, "")

CHOSEN_ID = "conv_[A-Za-z0-9_-]{1,59}"

# What only some writes need is imported by the first of them: 10 ms of every cold read.


async def create(
    asked: Asked, metadata: Any, expires_after_s: int | None, user: str | None, agent: str | None, **values: Any
) -> Response:
    from shared.conversations.append import Appending

    state = asked.state
    appending = Appending(state["store"], state["counter"], state["pool"], state["settings"])
    given = read_given(values, or_none=True)
    info, etag, is_replay = await appending.create(
        asked.caller,
        asked.attempt,
        given,
        metadata,
        expires_after_s,
        values["id"] or "",
        Owners(user or "", agent or ""),
    )
    return answer_written(asked, info.as_json(), etag, is_replay=is_replay)


async def list_(
    asked: Asked, limit: int, after: str, user: str | None, agent: str | None, metadata: dict[str, str]
) -> Response:
    from shared.conversations.listing import Listing

    listing, owners = Listing(asked.state["store"], asked.state["settings"]), Owners(user or "", agent or "")
    page = await listing.find(asked.caller, after, limit, metadata, owners, asked.later)
    return json_response(write_page(page, next_after=page.next_after), asked.later)


async def retrieve(asked: Asked, conversation_id: str) -> Response:
    info, provenance = await _items.reader(asked).retrieve(
        Conversation(asked.caller, conversation_id), asked.freshness, asked.later
    )
    return answer_read(asked, info.as_json(), provenance, provenance.etag_with(f"{provenance.used_at_unix_s:x}"))


async def update(
    asked: Asked,
    conversation_id: str,
    metadata: Any,
    expires_after_s: int | None,
    user: str | None,
    agent: str | None,
) -> Response:
    changes = metadata, expires_after_s, user, agent
    if changes == (None, None, None, None):
        raise missing_value("metadata")
    info, etag, is_replay = await editing(asked).update(
        Conversation(asked.caller, conversation_id), asked.attempt, *changes, asked.later
    )
    return answer_written(asked, info.as_json(), etag, is_replay=is_replay)


async def delete(asked: Asked, conversation_id: str) -> Response:
    is_replay = await editing(asked).delete(Conversation(asked.caller, conversation_id), asked.attempt)
    body: dict[str, object] = {"id": conversation_id, "object": "conversation.deleted", "deleted": True}
    return answer_written(asked, body, None, is_replay=is_replay)


async def fork(asked: Asked, conversation_id: str, after: str, metadata: Any, agent: str | None) -> Response:
    from shared.conversations.forks import Forks

    forks = Forks(asked.state["store"], asked.state["settings"])
    info, etag, is_replay = await forks.fork(
        Conversation(asked.caller, conversation_id), asked.attempt, after, metadata, agent, asked.later
    )
    return answer_written(asked, info.as_json(), etag, is_replay=is_replay)


async def compact(asked: Asked, conversation_id: str) -> Response:
    from shared.conversations.compaction import Compaction

    state, conversation = asked.state, Conversation(asked.caller, conversation_id)
    (info, etag, is_replay), lacks_terms = await Compaction(state["store"], state["settings"]).compact(
        conversation, is_forced=True
    )
    if lacks_terms:
        from shared.conversations.indexing import Indexing

        Indexing(state["store"], state["pool"], state["settings"]).index_later(conversation, asked.later)
    return answer_written(asked, info.as_json(), etag, is_replay=is_replay)


async def warm_instance(asked: Asked) -> Response:
    """What the warming cron calls, so that it is this function's instance that gets warm."""
    from shared.documents.warm import Warm

    state = asked.state
    work = Warm(state["store"], state["documents"], state["counter"], state["settings"])
    return json_response((await work.this_instance()).as_json())


OWN = (
    Route(
        "POST",
        PREFIX,
        create,
        "A new conversation",
        "a new conversation, with its first items, or messages in their place",
        "conversation",
        body=Body(
            (
                json("items", "items_or_none", "its first items, at most 100"),
                *FIELDS,
                METADATA,
                EXPIRY._replace(text="how long after its last use it expires, 0: never; else the setting holds"),
                *owner_fields("the end user whose it is, as you call them", "the agent whose it is, as you call it"),
                string(
                    "id",
                    "its id, where you choose it: no other conversation of the tenant may have it, or have had it "
                    "until it was deleted within the last day",
                    pattern=CHOSEN_ID,
                    of="'conv_' and 1 to 59 letters, digits, underscores or dashes",
                ),
            ),
            given_forms(listed="messages_or_none"),
        ),
        headers=CREATE,
        refuses=(ConversationExists, DuplicateItem, TextNotCountable),
        role=roles.APPEND,
        billed="9; 10 with `id`; one more for each of `user` and `agent`",
        is_prepared=True,
        memory="create_memory_store",
    ),
    Route(
        "GET",
        PREFIX,
        list_,
        "Conversations, newest activity first",
        "the tenant's conversations, newest activity first; with `user` or `agent` theirs, newest created first, found "
        "without looking at others. With a filter it looks at 10,000 at the most: when there are more, `next_after` "
        "goes on, and `last_id` where there is one",
        "conversations",
        query=(
            LIMIT,
            AFTER,
            *owner_fields("those of this user", "those of this agent"),
            pairs("metadata", "metadata_filter", "those that have all of it: `metadata[key]=value`"),
        ),
        refuses=(NotFound,),
        role=roles.READ,
        billed="4; 5 with `after`; 5 with `user` or `agent`; 7 with both; so again for each 1,000 that a filter looks "
        "at in vain",
        permits_with=(("metadata", 5),),
    ),
    Route(
        "GET",
        CONVERSATION,
        retrieve,
        "The conversation",
        "the conversation",
        "conversation",
        ids=ONE,
        headers=READ,
        role=roles.READ,
        billed="4; 3 when there is no news",
    ),
    Route(
        "POST",
        CONVERSATION,
        update,
        "New metadata, or another expiry, user or agent",
        "`{metadata?, expires_after_s?, user?, agent?}`: replaces the metadata, changes the expiry, the user, the "
        "agent, or several of them in one step",
        "conversation",
        ids=ONE,
        body=Body(
            (
                METADATA._replace(null={}),
                EXPIRY._replace(text="how long after its last use it expires from now on; null, or 0: never", null=0),
                *(
                    each._replace(null="")
                    for each in owner_fields("whose it is from now on; null: nobody's", "the same of its agent")
                ),
            ),
            tuple(Form((name,)) for name in ("metadata", "expires_after_s", "user", "agent")),
        ),
        headers=WRITE,
        role=roles.FULL,
        billed="8; 9 where the expiry becomes shorter; one more for each user and agent that it gets, and that it had",
    ),
    Route(
        "DELETE",
        CONVERSATION,
        delete,
        "Gone, with its items",
        "removes it and its items",
        "deleted",
        ids=ONE,
        headers=WRITE,
        role=roles.FULL,
        billed="9",
        memory="delete_memory_store",
    ),
    Route(
        "POST",
        CONVERSATION + "/fork",
        fork,
        "A copy up to an item",
        "`{after?: item id, metadata?, agent?}`: an independent copy up to there, as a new conversation of the same "
        "user",
        "conversation",
        ids=ONE,
        body=Body(
            (
                identifier("after", "item", "the last item that is copied; all of them without it"),
                METADATA,
                owner("agent", "another agent; null: none. Its user is that of the conversation")._replace(null=""),
            )
        ),
        headers=WRITE,
        role=roles.APPEND,
        billed="13; 14 with `after`; one more for each of user and agent",
        permits=20,
    ),
    Route(
        "POST",
        CONVERSATION + "/compact",
        compact,
        "Take out what was deleted",
        "takes out what deletions and replaced metadata left behind; happens by itself, after the response, where that "
        "is more than half of a log of 64 entries",
        "conversation",
        ids=ONE,
        body=Body(),
        answered=("ETag",),
        role=roles.APPEND,
        billed="3; 11 when there is something to take out, and more beyond 4,000 entries; behind it 10 per 256 items "
        "that lack terms",
        permits=20,
    ),
    Route(
        "POST",
        INSTANCE_PATH,
        warm_instance,
        "Warm this instance",
        "warms the instance that gets it: encoding, connection, hottest documents",
        "warm",
        key="cron",
        billed="3 per document",
        needs=("documents", "warm"),
    ),
)

ROUTES = (*_exports.ROUTES, *OWN, *_summaries.ROUTES, *_items.ROUTES, *_contexts.ROUTES, *_users.ROUTES)
app = create_app(ROUTES)
