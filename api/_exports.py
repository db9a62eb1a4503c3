"""
GET    /v1/conversations/{id}/export    a page of all that reads show of it, as lines of JSON
POST   /v1/conversations/import         a page of an export, of which a conversation is made
"""

from typing import Any

from starlette.responses import Response

from api._conversation import CONVERSATION, ONE, PREFIX
from shared.conversations.conversation import Conversation
from shared.conversations.export_cursor import CURSOR, OF, Cursor
from shared.errors import ConversationExists, DuplicateItem, ExportMoved, ImportOutOfOrder, TextNotCountable
from shared.http.answers import json_response, lines_response
from shared.http.headers import replay_headers
from shared.http.serving import Asked
from shared.request import roles
from shared.request.parameters import string
from shared.routes import LINES, Body, Route

# What few requests need is imported by the first of them.


async def export(asked: Asked, conversation_id: str, cursor: str | None) -> Response:
    from shared.conversations.exporting import Exporting

    state = asked.state
    exporting = Exporting(state["store"], state["pool"], state["settings"])
    page = await exporting.page(Conversation(asked.caller, conversation_id), Cursor.read(cursor or ""))
    return lines_response(page)


async def import_(asked: Asked, body: bytes) -> Response:
    from shared.conversations.importing import Importing

    state = asked.state
    importing = Importing(state["store"], state["counter"], state["pool"], state["settings"])
    made = await importing.add(asked.caller, body)
    answer: dict[str, Any] = {
        "object": "conversation.import",
        "id": made.conversation_id,
        "status": "partial" if made.info is None else "complete",
        "items": made.items,
        "sha256": made.digest,
    }
    if made.info is not None:
        answer["conversation"] = made.info.as_dict()
    headers = ({"etag": made.etag} if made.etag else {}) | replay_headers(is_replay=made.is_replay)
    return json_response(answer, headers=headers)


ROUTES = (
    Route(
        "GET",
        CONVERSATION + "/export",
        export,
        "All of it, to be kept",
        "a page of at most 4 MB of all that reads show, as lines of JSON; its last line names the `cursor` of the "
        "next, or ends the [export](backups.md). Every page is of the state that the first was of. It renews no expiry",
        "export",
        ids=ONE,
        query=(string("cursor", f"{OF}, for the next one", pattern=CURSOR, of=OF),),
        refuses=(ExportMoved,),
        role=roles.READ,
        billed="4, and 1 for each megabyte",
        permits=10,
    ),
    Route(
        "POST",
        PREFIX + "/import",
        import_,
        "A conversation from its export",
        "a page of an export, as it is: when the last one has come, the conversation is there, with its id and its "
        "items' ids. A page that comes again changes nothing",
        "import",
        name="import_conversation",
        body=Body(schema="export_page", media_type=LINES),
        answered=("ETag", "Idempotency-Replayed"),
        refuses=(ConversationExists, DuplicateItem, ImportOutOfOrder, TextNotCountable),
        role=roles.FULL,
        billed="8; 14 for the last page",
        is_prepared=True,
        permits=10,
    ),
)
