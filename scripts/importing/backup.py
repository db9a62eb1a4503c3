"""
A folder that keeps the conversations of a tenant: a file for each, and a list of them.

    manifest.jsonl           what the folder is of; then a line for each conversation that was kept, the last one holds
    conversations/<id>.jsonl the pages of its export, as they came

A file is written beside and renamed, and listed when it is there: whatever ends a run, what is listed is whole.
"""

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from shared.conversations.export_cursor import FIRST_HASH
from shared.conversations.export_lines import hash_of

FORMAT = "warmthread.backup/1"
MANIFEST, FOLDER = "manifest.jsonl", "conversations"
LINE = b"\n"
ENDS = (b'{"type":"more"', b'{"type":"end"')

type Json = dict[str, Any]


class BackupError(Exception):
    """The folder cannot be used, or a file of it is not what it was; the text says which."""


class Kept(NamedTuple):
    """A conversation in the folder: when it was used last, and how much it is. *sha256*: the hash of its last page."""

    id: str
    last_active_at: int
    version: int
    items: int
    pages: int
    bytes: int
    sha256: str


class Backup:
    """The folder at *path*; methods may be called by any thread. Raises BackupError: it is another's."""

    def __init__(self, path: Path, tenant: str = "", *, is_new: bool = False) -> None:
        self.path = path
        self.kept: dict[str, Kept] = {}
        self._lock = threading.Lock()
        manifest = path / MANIFEST
        try:
            if manifest.exists():
                self._read(manifest, tenant)
            elif is_new:
                (path / FOLDER).mkdir(parents=True, exist_ok=True)
                self._note({"format": FORMAT, "tenant": tenant})
            else:
                raise BackupError(f"{path} is no backup: it has no {MANIFEST}")
        except OSError as error:
            raise BackupError(f"{path}: {error.strerror or error}") from None

    def _read(self, manifest: Path, tenant: str) -> None:
        for number, line in enumerate(manifest.read_bytes().splitlines(), 1):
            try:
                told = json.loads(line)
                if number > 1:
                    kept = Kept(**told)
                    self.kept[kept.id] = kept
            except (ValueError, TypeError):
                if number == 1:
                    raise BackupError(f"{manifest}: line 1 cannot be read") from None
                continue  # The line that a run was ended at; what it would have listed is exported again.
            if number == 1 and (told.get("format") != FORMAT or (tenant and told.get("tenant") != tenant)):
                raise BackupError(f"{self.path} is a backup of {told.get('tenant')!r}, and not of {tenant!r}")

    def _note(self, told: Json) -> None:
        with self._lock, (self.path / MANIFEST).open("ab") as file:
            file.write(json.dumps(told, separators=(",", ":")).encode() + LINE)
            file.flush()
            os.fsync(file.fileno())

    def is_current(self, conversation_id: str, last_active_at: int) -> bool:
        """Tell whether the conversation is kept as it was used last."""
        kept = self.kept.get(conversation_id)
        return kept is not None and kept.last_active_at == last_active_at and self.file(conversation_id).exists()

    def file(self, conversation_id: str) -> Path:
        """Return where a conversation is; ids that differ in capitals alone are different files everywhere."""
        name = conversation_id
        if name != name.lower():
            name += "~" + hashlib.sha256(name.encode()).hexdigest()[:12]
        return self.path / FOLDER / f"{name}.jsonl"

    def keep(self, conversation_id: str, last_active_at: int, pages: list[bytes]) -> Kept:
        """Write the *pages* of an export, which were checked. Raises BackupError."""
        first, last = json.loads(pages[0].partition(LINE)[0]), json.loads(pages[-1].splitlines()[-1])
        size_bytes = sum(map(len, pages))
        kept = Kept(
            conversation_id, last_active_at, first["version"], last["items"], len(pages), size_bytes, last["sha256"]
        )
        file = self.file(conversation_id)
        beside = file.with_suffix(".part")
        try:
            with beside.open("wb") as written:
                written.writelines(pages)
                written.flush()
                os.fsync(written.fileno())
            beside.replace(file)
            self._note(kept._asdict())
        except OSError as error:
            raise BackupError(f"{file}: {error.strerror or error}") from None
        self.kept[conversation_id] = kept
        return kept

    def pages(self, kept: Kept) -> Iterator[bytes]:
        """Yield the pages of a conversation, each checked. Raises BackupError: the file is not what was kept."""
        file, before = self.file(kept.id), FIRST_HASH
        try:
            for page in _split(file):
                before = checked(page, before, str(file))
                yield page
        except OSError as error:
            raise BackupError(f"{file}: {error.strerror or error}") from None
        if before != kept.sha256:
            raise BackupError(f"{file}: it is not what was kept: the hash of its last page is another one")


def _split(file: Path) -> Iterator[bytes]:
    lines: list[bytes] = []
    with file.open("rb") as opened:
        for line in opened:
            lines.append(line)
            if line.startswith(ENDS):
                yield b"".join(lines)
                lines = []
    if lines:
        raise BackupError(f"{file}: its last page does not end")


def checked(page: bytes, before: str, at: str) -> str:
    """Return the hash of a *page*, behind one of the hash *before*. Raises BackupError: it is not what it says."""
    *lines, last = page.splitlines(keepends=True)
    try:
        said = json.loads(last)["sha256"]
    except (ValueError, KeyError, TypeError):
        raise BackupError(f"{at}: a page does not end with its hash") from None
    if said != hash_of(before, lines):
        raise BackupError(f"{at}: a page has another hash than its lines: something was lost or changed")
    return str(said)
