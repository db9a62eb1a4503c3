"""
What a context shows of a document: its text in a frame that names it, whole or with a marked cut.

The count is that of the frame with the text in it, so that what is counted is what is sent.
"""

from shared.documents.document import Document
from shared.tokens.counter import Counter

CUT_MARK = "\n[cut here: the rest of this document does not fit]"
CUT_TOKENS_MIN = 64
"""Less of a document than this says nothing."""

CUT_STEPS_MAX = 6


def framed(path: str, text: str) -> str:
    return f'<document path="{path}">\n{text}\n</document>'


async def count_document(counter: Counter, encoding: str, path: str, document: Document) -> int:
    """Return the tokens of the framed document; counted once per tag and encoding."""
    tokens = document.counts.get(encoding)
    if tokens is None:
        [tokens] = await counter.count(encoding, [shown(path, document)])
        document.counts[encoding] = tokens
    return tokens


def shown(path: str, document: Document) -> str:
    """Return all that is held of a document, in its frame."""
    return framed(path, document.text if document.is_whole else document.text + CUT_MARK)


async def cut_document(
    counter: Counter, encoding: str, path: str, document: Document, room_tokens: int
) -> tuple[str, int] | None:
    """
    Return the beginning of a document, with the mark of the cut, and its count: at most *room_tokens*.

    None: not enough fits to be of use. The same arguments give the same text.
    """
    total_tokens = await count_document(counter, encoding, path, document)
    if room_tokens < CUT_TOKENS_MIN:
        return None
    chars = len(document.text) * room_tokens // max(total_tokens, 1)
    for _ in range(CUT_STEPS_MAX):
        end = _line_end(document.text, chars)
        text = framed(path, document.text[:end] + CUT_MARK)
        [tokens] = await counter.count(encoding, [text])
        if tokens <= room_tokens:
            return (text, tokens) if end else None
        chars = min(end - 1, end * room_tokens // tokens)
    return None


def _line_end(text: str, chars: int) -> int:
    """Return the end of the last whole line in the first *chars*, if that keeps most of them."""
    end = text.rfind("\n", 0, chars)
    return end if end > chars // 2 else chars
