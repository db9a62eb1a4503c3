"""
Bringing conversations into Warmthread from a folder that scripts/export made: under their own ids, each whole or not.

    looked_at            what is in the folder, checked by its hashes; nothing is sent
    Restorer.bring       the pages of one, from where it was stopped
    Restorer.compare     whether what is there is what is in the folder, line by line

The service knows a page again by its hash, so no map is needed.
"""

import json
from collections.abc import Callable, Iterator, Sequence

from scripts.importing.api import Api, Refused
from scripts.importing.backup import Backup, BackupError, Kept
from scripts.importing.checking import Refusal
from scripts.importing.sending import Outcome, State
from scripts.importing.source import Record, Session, wanted
from scripts.importing.verifying import Verified
from shared.conversations.export_cursor import FIRST_HASH


class Folder:
    """A backup as a source: its conversations, the one that was used longest ago first, as lists have them."""

    def __init__(self, backup: Backup) -> None:
        self._backup = backup

    def count(self) -> int | None:
        return len(self._backup.kept)

    def sessions(self, only: Sequence[str]) -> Iterator[Session]:
        wanted(only, set(self._backup.kept))
        newest_last = [*self._backup.kept.values()][::-1]  # The export lists the newest first.
        newest_last.sort(key=lambda each: each.last_active_at)
        for kept in newest_last:
            if not only or kept.id in only:
                yield Session(kept.id, _no_records)

    def close(self) -> None:
        """Nothing is open."""


def _no_records() -> Iterator[Record]:
    return iter(())


class Restorer:
    """Brings conversations of *backup* to *api*; any thread may, each another one. Methods raise as Api.call."""

    def __init__(self, backup: Backup, api: Api | None = None) -> None:
        self._backup = backup
        self._api = api

    def look(self, session: Session, on_record: Callable[[], None]) -> Outcome:
        """Return what would come of a conversation; nothing is sent."""
        kept = self._backup.kept[session.id]
        try:
            for _ in self._backup.pages(kept):
                on_record()
        except BackupError as error:
            return _refused(kept, "", str(error))
        return Outcome(kept.id, kept.id, State.NEW, kept.pages, kept.items)

    def bring(self, session: Session, on_record: Callable[[], None]) -> Outcome:
        """Bring one over. What is wrong with it is in the outcome."""
        assert self._api is not None
        kept = self._backup.kept[session.id]
        brought = ""  # The hash of the newest page that is there already, until it comes by.
        try:
            for page in self._backup.pages(kept):
                on_record()
                if brought:
                    brought = "" if _hash_of(page) == brought else brought
                    continue
                answer = self._api.send_lines("/v1/conversations/import", page)
                if answer.value["status"] == "complete":
                    state = State.SAME if answer.is_replay else State.NEW
                    return Outcome(kept.id, kept.id, state, kept.pages, kept.items)
                if answer.value["sha256"] != _hash_of(page):
                    brought = answer.value["sha256"]
        except BackupError as error:
            return _refused(kept, "", str(error))
        except Refused as error:
            if error.code == "conversation_exists":
                return Outcome(kept.id, kept.id, State.CONFLICT, reason=str(error))
            if error.status in (401, 403, 404):
                raise
            return _refused(kept, error.field, str(error))
        return _refused(kept, "", "its pages do not end")

    def compare(self, session: Session, on_record: Callable[[], None]) -> Verified:
        """Return how what is there compares with what is kept."""
        assert self._api is not None
        kept = self._backup.kept[session.id]
        told = Verified(kept.id, kept.id, kept.pages, kept.items, digest=kept.sha256)
        query: dict[str, object] = {}
        found, items = FIRST_HASH, 0
        try:
            for page in self._backup.pages(kept):
                on_record()
                other = self._api.lines(f"/v1/conversations/{kept.id}/export", query)
                last = json.loads(other.splitlines()[-1])
                found, query = last["sha256"], {"cursor": last.get("cursor", "")}
                if found != _hash_of(page):
                    return told._replace(found=found, there=items, wrong="it is not what was kept")
                items += page.count(b'\n{"type":"item"')
        except BackupError as error:
            return told._replace(found=found, wrong=str(error))
        except Refused as error:
            if error.status != 404:
                raise
            return told._replace(found=found, wrong="it is gone, or another tenant's")
        return told._replace(found=found, there=items)


def _hash_of(page: bytes) -> str:
    return str(json.loads(page.splitlines()[-1])["sha256"])


def _refused(kept: Kept, field: str, reason: str) -> Outcome:
    refusal = Refusal("its pages", field, reason)
    return Outcome(kept.id, "", State.REFUSED, refused=1, refusals=(refusal,))
