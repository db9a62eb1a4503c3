"""Exports as tests take them: all pages of a conversation, and a conversation made of pages."""

from typing import Any

import httpx
import orjson

from shared.conversations.export_lines import hash_of, head_line


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


def page(head: dict[str, Any], *lines: dict[str, Any], **last: Any) -> bytes:
    """Return the page that begins with *head*; it ends the export, if the *last* line does not say else."""
    raw = [head_line(head), *(orjson.dumps(line) + b"\n" for line in lines)]
    told = {
        "type": "end",
        "written_tokens": 0,
        "results": 0,
        "saved_tokens": 0,
        **last,
        "sha256": hash_of(head.get("behind", ""), raw),
    }
    return b"".join([*raw, orjson.dumps(told) + b"\n"])


def renamed(page: bytes, conversation_id: str) -> bytes:
    """Return the only page of an export as that of a conversation of another id."""
    return edited(page, 0, id=conversation_id)


def begun(page: bytes, conversation_id: str) -> bytes:
    """Return the only page of an export as the first of more, of a conversation of another id."""
    lines = lines_of(renamed(page, conversation_id))
    raw = [orjson.dumps(line) + b"\n" for line in lines[:-1]]
    return b"".join([*raw, orjson.dumps({"type": "more", "sha256": hash_of("", raw)}) + b"\n"])


def edited(page: bytes, at: int, **members: Any) -> bytes:
    """Return *page* with other *members* in a line, and the hash that belongs to it."""
    lines = lines_of(page)
    lines[at] = {**lines[at], **members}
    raw = [orjson.dumps(line) + b"\n" for line in lines[:-1]]
    lines[-1]["sha256"] = hash_of(lines[0].get("behind", ""), raw)
    return b"".join([*raw, orjson.dumps(lines[-1]) + b"\n"])


def send(api: httpx.Client, page: bytes) -> httpx.Response:
    return api.post("/v1/conversations/import", content=page, headers={"content-type": "application/x-ndjson"})
