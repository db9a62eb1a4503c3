"""
Conversations of another Warmthread, through its HTTP API: another deployment, store or tenant.

    GET /v1/conversations                 newest activity first, 100 a page
    GET /v1/conversations/{id}/items      oldest first, 100 a page

Items come as that service stores them, ids included, and metadata goes along. What is kept beside items for one dialect
(docs/dialects.md), summaries and expiry are seen by none of these routes, and stay behind.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from scripts.importing.api import Api
from scripts.importing.asking import ask
from scripts.importing.source import PAIRS_MAX, Json, Record, Session

PAGE = 100


class Conversations:
    """The conversations of the tenant whose key *api* has."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def count(self) -> int | None:
        return None

    def sessions(self, only: Sequence[str]) -> Iterator[Session]:
        for info in map(self._one, only) if only else self._all():
            metadata: Mapping[str, str] = info.get("metadata") or {}
            kept = dict(list(metadata.items())[:PAIRS_MAX])
            left_out = ("metadata",) if len(metadata) > PAIRS_MAX else ()
            yield Session(
                info["id"],
                partial(self._records, f"/v1/conversations/{info['id']}/items"),
                {**kept, "import_created_at": str(info["created_at"])},
                left_out,
            )

    def _one(self, conversation_id: str) -> Json:
        return ask(self._api, f"/v1/conversations/{conversation_id}", {})

    def _all(self) -> Iterator[Json]:
        query: dict[str, object] = {"limit": PAGE}
        while True:
            page = ask(self._api, "/v1/conversations", query)
            yield from page["data"]
            if not page["has_more"]:
                return
            query["after"] = page["last_id"]

    def _records(self, path: str) -> Iterator[Record]:
        query: dict[str, object] = {"limit": PAGE, "order": "asc"}
        number = 0
        while True:
            page = ask(self._api, path, query)
            for item in page["data"]:
                number += 1
                yield Record(f"item {number}", item["id"], values=(item,))
            if not page["has_more"]:
                return
            query["after"] = page["last_id"]

    def close(self) -> None:
        self._api.close()
