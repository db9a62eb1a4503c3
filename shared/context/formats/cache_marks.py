"""
Anthropic's marks of what it is to cache: `cache_control` on the last block of a beginning.

At most four a request. A block of thinking takes none, nor does an empty text, which is never sent.
"""

from collections.abc import Mapping

from shared.jsonbytes.read import loads_elements
from shared.jsonbytes.write import Pieces

MARKS: Mapping[str, bytes] = {
    "5m": b',"cache_control":{"type":"ephemeral"}',
    "1h": b',"cache_control":{"type":"ephemeral","ttl":"1h"}',
}
"""By how long it is kept; five minutes is what is meant where nothing is said."""

_UNMARKED = ("thinking", "redacted_thinking")
_BLOCK_END, _MESSAGE_END = len(b"}"), len(b"}]}")


def marked_system(blocks: Pieces, kept_for: str) -> Pieces:
    """Return *blocks*, JSON with commas between, with a mark on the last one."""
    return _marked(b"".join(blocks), _BLOCK_END, kept_for)


def marked_messages(messages: Pieces, kept_for: str) -> Pieces:
    """Return *messages*, JSON with commas between, with a mark on the last block; as they are where it takes none."""
    whole = b"".join(messages)
    last = loads_elements(b"[" + whole + b"]")[-1]["content"][-1]
    return messages if last["type"] in _UNMARKED else _marked(whole, _MESSAGE_END, kept_for)


def _marked(whole: bytes, end: int, kept_for: str) -> Pieces:
    return [whole[:-end], MARKS[kept_for], whole[-end:]]
