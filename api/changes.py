"""
POST /v1/changes   documents have changed: from the answer on, no instance takes what it holds of them for current
"""

from typing import Any

from starlette.responses import Response

from shared.app import create_app
from shared.documents.changes import read_changes, report
from shared.http.answers import json_response
from shared.http.serving import Asked
from shared.routes import Body, Route


async def changes(asked: Asked, body: dict[str, Any]) -> Response:
    documents = asked.state["documents"]
    places = read_changes(body, documents.source.bucket, asked.state["settings"].changes_max)
    kept = await report(documents.shelf, places)
    return json_response({"object": "changes", "reported": len(places), "kept": kept})


ROUTES = (
    Route(
        "POST",
        "/v1/changes",
        changes,
        "Documents have changed",
        "`{changes: [{path}]}`, paths as in the object store, or an S3 event as EventBridge delivers it: what is kept "
        "of these documents is outdated from the answer on",
        "changes",
        body=Body(schema="notice"),
        key="changes",
        billed="at most 3 per folder",
        needs=("documents",),
    ),
)
app = create_app(ROUTES)
