"""
Warmthread as an import uses it: any client could do the same with a tenant's key.

    create, append    with an Idempotency-Key of the source's, so that what is sent twice is done once
    tip               the newest item, and the state of which it is that
    behind            items behind one, oldest first
    found             the conversations that an import of this name made, by their source ids
"""

import hashlib
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from scripts.importing.api import Api, Json, Refused

PAGE = 100
SOURCE_PAIR, ID_PAIR = "import_source", "import_id"
"""Metadata of each conversation that is brought over: which source, and which conversation there."""

VALUE_CHARS_MAX = 512


class Ambiguous(Exception):
    """Several conversations say that they are the same one of the source."""


class Gone(Exception):
    """The conversation was made less than a day ago, and deleted since."""


class Tip(NamedTuple):
    """*item_id* is that of the newest item, "" without one; *etag* the state of which it is that."""

    item_id: str
    etag: str


class Target:
    """The tenant whose key *api* has; *name* is that of the source. Methods raise as Api.call."""

    def __init__(self, api: Api, name: str) -> None:
        self._api = api
        self._name = name
        self._lock = threading.Lock()
        self._found: dict[bytes, list[str]] | None = None

    def create(self, source_id: str, metadata: Mapping[str, str], body: Json, expires_after_s: int | None) -> str:
        """
        Return the id of the conversation that holds what *body* brings. The same request makes none anew for a day.

        Raises:   Gone: it was made before, and is deleted.
        """
        told: Json = {**metadata, SOURCE_PAIR: self._name, ID_PAIR: id_value(source_id)}
        expiry = {} if expires_after_s is None else {"expires_after_s": expires_after_s}
        headers = {"idempotency-key": self._key(source_id, "create")}
        answer = self._api.call("POST", "/v1/conversations", {**body, "metadata": told, **expiry}, headers)
        made = str(answer.value["id"])
        if answer.is_replay:  # As it was answered then, whatever became of it.
            try:
                self._api.get(f"/v1/conversations/{made}")
            except Refused as error:
                if error.status == 404:
                    raise Gone from None
                raise
        return made

    def append(self, conversation_id: str, source_id: str, number: int, body: Json, tip: Tip) -> None:
        """Append what *body* brings directly behind *tip*; *number* tells the batches of a conversation apart."""
        headers = {"idempotency-key": self._key(source_id, f"{conversation_id} {number}"), "if-match": tip.etag}
        self._api.call("POST", f"/v1/conversations/{conversation_id}/items", body, headers)

    def tip(self, conversation_id: str) -> Tip:
        answer = self._api.get(f"/v1/conversations/{conversation_id}/items", {"limit": 1, "order": "desc"})
        newest = answer.value["data"]
        return Tip(newest[0]["id"] if newest else "", answer.etag)

    def behind(self, conversation_id: str, after: str, limit: int | None = None) -> Iterator[Json]:
        """Yield the items behind *after*, all of them for "", oldest first; at most *limit*."""
        query: dict[str, object] = {"order": "asc", **({"after": after} if after else {})}
        left = limit
        while left is None or left > 0:
            query["limit"] = PAGE if left is None else min(left, PAGE)
            page = self._api.get(f"/v1/conversations/{conversation_id}/items", query).value
            yield from page["data"]
            if not page["has_more"]:
                return
            left = None if left is None else left - len(page["data"])
            query["after"] = page["last_id"]

    def found(self, source_id: str, *, anew: bool = False) -> str | None:
        """
        Return the conversation that says of itself that it is this one. All are listed at the first call, or *anew*.

        Raises:   Ambiguous.
        """
        with self._lock:
            if self._found is None or anew:
                self._found = self._list()
            ids = self._found.get(_short(id_value(source_id)), [])
        if len(ids) > 1:
            raise Ambiguous(f"{' and '.join(ids[:3])} both say that they are it; bring the map, or take one away")
        return ids[0] if ids else None

    def _list(self) -> dict[bytes, list[str]]:
        found: defaultdict[bytes, list[str]] = defaultdict(list)
        query: dict[str, object] = {"limit": PAGE, f"metadata[{SOURCE_PAIR}]": self._name}
        while True:
            page = self._api.get("/v1/conversations", query).value
            for info in page["data"]:
                ids = found[_short((info.get("metadata") or {}).get(ID_PAIR, ""))]
                ids += [info["id"]] if info["id"] not in ids else []
            after = page.get("next_after") or page.get("last_id")
            if not page["has_more"] or not after:
                return dict(found)
            query["after"] = after

    def _key(self, source_id: str, what: str) -> str:
        told = "\n".join((self._name, source_id, what)).encode(errors="surrogatepass")
        return f"import-{hashlib.sha256(told).hexdigest()}"


def id_value(source_id: str) -> str:
    """Return *source_id* as metadata can hold it: one that is too long is its hash."""
    if len(source_id) <= VALUE_CHARS_MAX:
        return source_id
    return f"sha256:{hashlib.sha256(source_id.encode(errors='surrogatepass')).hexdigest()}"


def _short(value: str) -> bytes:
    return hashlib.blake2b(value.encode(errors="surrogatepass"), digest_size=12).digest()
