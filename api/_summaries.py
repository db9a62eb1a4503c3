"""
GET    /v1/conversations/{id}/summary      the text that contexts show in the place of items
POST   /v1/conversations/{id}/summary      a text in the place of the items up to one of them
DELETE /v1/conversations/{id}/summary      blank it; the conversation

A part of api/conversations.py.
"""

from starlette.responses import Response

from api import _items
from api._conversation import CONVERSATION, ONE, answer_read, answer_written, editing
from shared.conversations.conversation import Conversation
from shared.errors import TextNotCountable
from shared.http.serving import Asked
from shared.request import roles
from shared.request.parameters import identifier, string
from shared.routes import READ, WRITE, Body, Route


async def summarise(asked: Asked, conversation_id: str, through: str, text: str) -> Response:
    from shared.conversations.summaries import Summaries

    state = asked.state
    summaries = Summaries(state["store"], state["counter"], state["settings"])
    info, etag, is_replay = await summaries.summarise(
        Conversation(asked.caller, conversation_id), asked.attempt, through, text, asked.later
    )
    return answer_written(asked, info.as_json(), etag, is_replay=is_replay)


async def summary(asked: Asked, conversation_id: str) -> Response:
    from shared.conversations.summary_reading import summary_of

    snapshot, provenance = await _items.reader(asked).head(
        Conversation(asked.caller, conversation_id), asked.freshness, asked.later
    )
    return answer_read(asked, summary_of(conversation_id, snapshot.summary).as_json(), provenance)


async def delete_summary(asked: Asked, conversation_id: str) -> Response:
    info, etag, is_replay = await editing(asked).delete_summary(
        Conversation(asked.caller, conversation_id), asked.attempt, asked.later
    )
    return answer_written(asked, info.as_json(), etag, is_replay=is_replay)


ROUTES = (
    Route(
        "GET",
        CONVERSATION + "/summary",
        summary,
        "The summary",
        "the summary that contexts show: its text, and `through`; 404 without one",
        "summary_with_text",
        ids=ONE,
        headers=READ,
        role=roles.READ,
        billed="4",
    ),
    Route(
        "POST",
        CONVERSATION + "/summary",
        summarise,
        "A text in the place of the items up to one that ends a unit",
        "`{through: item id, text}`: contexts show the text, as a user message that is always kept, in the place of "
        "the items up to there; they stay readable. `through` must not tear what belongs together. The text of the "
        "summary before it is gone",
        "summary",
        ids=ONE,
        body=Body(
            (
                identifier("through", "item", "the last item that the text stands for", required=True),
                string("text", "what contexts show", chars=(1, 100_000), required=True),
            )
        ),
        headers=WRITE,
        refuses=(TextNotCountable,),
        role=roles.APPEND,
        billed="7; 8 in the place of another",
        is_prepared=True,
        permits=10,
    ),
    Route(
        "DELETE",
        CONVERSATION + "/summary",
        delete_summary,
        "Blank the summary",
        "blanks its text at once; contexts show the items again; answers the conversation",
        "conversation",
        ids=ONE,
        headers=WRITE,
        role=roles.FULL,
        billed="7",
    ),
)
