"""
One document as the tiers keep it: its text, or why it has none.

    bytes -> UTF-8, without NUL, no PDF -> text

What is larger than Settings.document_bytes_max is kept as its beginning, cut between characters.
"""

import codecs
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from shared.documents.source import Loaded

DOCUMENT_BYTES = 400
"""What a document holds in memory beside its text."""

PDF_MAGIC = b"%PDF-"
DEFAULT_TYPE = "text/plain; charset=utf-8"
TYPES = {
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".markdown": "text/markdown; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
}
"""By suffix. All else, source code and markup too, is shown as plain text: a browser must run nothing of it."""


@dataclass(slots=True, frozen=True, eq=False)
class Document:
    """
    *text* is "" and *why* says the reason where the bytes are no text. *total_bytes* is the size of the whole object,
    *held_bytes* that of *text*, *size_bytes* what all of it takes in memory.
    *counts*: tokens by encoding, of what a context shows of it; whoever counts adds to it.
    """

    etag: str
    text: str
    why: str
    total_bytes: int
    held_bytes: int
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def is_text(self) -> bool:
        return self.why == ""

    @property
    def is_whole(self) -> bool:
        return self.held_bytes >= self.total_bytes

    def with_etag(self, etag: str) -> "Document":
        return replace(self, etag=etag)

    @property
    def size_bytes(self) -> int:
        return DOCUMENT_BYTES + self.held_bytes


def read_document(loaded: Loaded) -> Document:
    """Return the document that the object store sent."""
    body, is_whole = loaded.body, len(loaded.body) == loaded.size_bytes
    why = ""
    if body.startswith(PDF_MAGIC):
        why = "a PDF file"
    elif b"\0" in body:
        why = "binary"
    if why:
        return Document(loaded.etag, "", why, loaded.size_bytes, 0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        # A cut may fall within a character: what is then left over is not part of the text.
        text = decoder.decode(body, final=is_whole)
    except UnicodeDecodeError:
        return Document(loaded.etag, "", "not UTF-8", loaded.size_bytes, 0)
    left_over = 0 if is_whole else len(decoder.getstate()[0])
    return Document(loaded.etag, text, "", loaded.size_bytes, len(body) - left_over)


def media_type(path: str) -> str:
    """Return the Content-Type of the text at *path*."""
    return TYPES.get(PurePosixPath(path).suffix.lower(), DEFAULT_TYPE)
