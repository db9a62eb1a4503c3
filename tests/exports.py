"""Exports as tests take them: all pages of a conversation, and a conversation made of pages."""

from typing import Any

import httpx
import orjson


def pages_of(api: httpx.Client, conversation_id: str) -> list[bytes]:
    """Return the pages of an export of all of a conversation."""
    pages: list[bytes] = []
    query: dict[str, str] = {}
    while True:
        answer = api.get(f"/v1/conversations/{conversation_id}/export", params=query)
        assert answer.status_code == httpx.codes.OK, answer.text
        assert answer.headers["content-type"] == "application/x-ndjson"
        pages.append(answer.content)
        last = lines_of(answer.content)[-1]
        if last["type"] == "end":
            return pages
        query = {"cursor": last["cursor"]}


def lines_of(page: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in page.splitlines()]


def restore(api: httpx.Client, pages: list[bytes]) -> dict[str, Any]:
    """Return the conversation that an import of *pages* makes."""
    told: dict[str, Any] = {}
    for page in pages:
        answer = send(api, page)
        assert answer.status_code == httpx.codes.OK, answer.text
        told = answer.json()
    assert told["status"] == "complete", told
    return dict(told["conversation"])


def send(api: httpx.Client, page: bytes) -> httpx.Response:
    return api.post(
        "/v1/conversations/import", content=page, headers={"content-type": "application/x-ndjson"}
    )
