"""
The body of a document that a tenant writes: text in UTF-8, as what is read has to be.
"""

from shared.documents.document import Document, read_document
from shared.documents.source import Loaded
from shared.errors import UnsupportedMedia

TYPES = frozenset(
    (
        *("json", "xml", "yaml", "toml", "javascript", "typescript", "sql", "graphql", "x-ndjson", "jsonl"),
        *("x-yaml", "x-sh", "x-javascript", "x-typescript"),
        "x-www-form-urlencoded",  # What curl calls whatever it is given.
    )
)
"""Of application/…, what is text all the same."""

ENDINGS = ("+json", "+xml", "+yaml")
CHARSETS = frozenset(("utf-8", "utf8", "us-ascii", "ascii"))


def read_text(body: bytes, content_type: str) -> Document:
    """
    Return *body*, said to be of *content_type*, as the document that it makes; its tag is not known yet.

    Raises:   UnsupportedMedia: it is no text in UTF-8, or said to be none.
    """
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    named = [part.partition("=")[2].strip('" ') for part in parameters if part.startswith("charset=")]
    if not _is_text(kind) or not CHARSETS.issuperset(named):
        raise UnsupportedMedia(
            "Content-Type must be a type of text, in UTF-8: 'text/plain' for instance.", param="Content-Type"
        )
    document = read_document(Loaded("", body, len(body)))
    if not document.is_text:
        raise UnsupportedMedia(f"The body is {document.why}; text in UTF-8 is taken.", param="body")
    return document


def _is_text(kind: str) -> bool:
    major, _, minor = kind.partition("/")
    return not kind or major == "text" or minor.endswith(ENDINGS) or (major == "application" and minor in TYPES)
