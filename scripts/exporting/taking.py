"""
Taking a tenant's conversations out, each whole, those again that were used since the last time.

The list goes from the newest activity on; what is used while it is read moves to its front, where nobody looks again.
So its front is read once more at the end, as far back as the run began.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from scripts.importing.api import Api, Refused
from scripts.importing.backup import Backup, checked
from scripts.importing.source import Record, Session
from shared.conversations.export_cursor import FIRST_HASH

PAGE = 100
ANEW_MAX = 20
"""How often one export may be begun anew because what it was of was deleted meanwhile."""

CLOCKS_S = 300
"""How far the clocks of the service and of this machine may differ."""


class State(StrEnum):
    """What became of a conversation."""

    KEPT = "exported"
    SAME = "unchanged"
    GONE = "gone"


class Taken(NamedTuple):
    id: str
    state: State
    items: int = 0
    bytes: int = 0


class Conversations:
    """The conversations of the tenant whose key *api* has, as a source of a run."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._began_at = int(time.time()) - CLOCKS_S

    def count(self) -> int | None:
        return None

    def sessions(self, only: Sequence[str]) -> Iterator[Session]:
        """Yield them, each with the time of its last use. Raises Refused: one of *only* is not there."""
        if only:
            for each in only:
                yield _session(self._api.get(f"/v1/conversations/{each}").value)
            return
        yield from self._from(0)
        yield from self._from(self._began_at)

    def _from(self, since: int) -> Iterator[Session]:
        query: dict[str, object] = {"limit": PAGE}
        while True:
            page = self._api.get("/v1/conversations", query).value
            for info in page["data"]:
                if info["last_active_at"] < since:
                    return
                yield _session(info)
            if not page["has_more"]:
                return
            query["after"] = page["last_id"]

    def close(self) -> None:
        self._api.close()


def _session(info: dict[str, object]) -> Session:
    return Session(str(info["id"]), _no_records, {"last_active_at": str(info["last_active_at"])})


def _no_records() -> Iterator[Record]:
    return iter(())


class Taker:
    """Brings conversations into *backup*; any thread may, each another one. Raises as Api.call, BackupError."""

    def __init__(self, api: Api, backup: Backup) -> None:
        self._api = api
        self._backup = backup

    def take(self, session: Session, on_page: Callable[[], None]) -> Taken:
        """Keep one conversation, if it was used since it was kept."""
        last_active_at = int(session.metadata["last_active_at"])
        if self._backup.is_current(session.id, last_active_at):
            return Taken(session.id, State.SAME)
        for _ in range(ANEW_MAX):
            try:
                pages = self._pages(session.id, on_page)
            except Refused as error:
                if error.status == 404:
                    return Taken(session.id, State.GONE)
                if error.code != "export_moved":
                    raise
                continue
            kept = self._backup.keep(session.id, last_active_at, pages)
            return Taken(session.id, State.KEPT, kept.items, kept.bytes)
        raise Refused(409, "export_moved", f"{session.id} was changed during each of {ANEW_MAX} exports of it")

    def _pages(self, conversation_id: str, on_page: Callable[[], None]) -> list[bytes]:
        pages: list[bytes] = []
        query: dict[str, object] = {}
        before = FIRST_HASH
        while True:
            page = self._api.lines(f"/v1/conversations/{conversation_id}/export", query)
            before = checked(page, before, conversation_id)
            pages.append(page)
            on_page()
            last = json.loads(page.splitlines()[-1])
            if last["type"] == "end":
                return pages
            query = {"cursor": last["cursor"]}
