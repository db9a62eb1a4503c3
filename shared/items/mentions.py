"""
Documents that items mention: `input_file` parts whose `file_url` is `document:<path>`.

In a context a mention is a text part that names the document, `[document a.txt]`, counted when the item was appended.
The document itself, where a context shows it, is another text part behind that (`embed`), counted by itself: parts of a
message add up.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.items.document_paths import PREFIX
from shared.items.parts import text_part

PART_FIELDS = ("content", "output")


def mentioned_path(part: object) -> str | None:
    """Return the path that *part* of an item mentions, None if it mentions no document."""
    if not isinstance(part, dict) or part.get("type") != "input_file":
        return None
    url = part.get("file_url")
    return url.removeprefix(PREFIX) if isinstance(url, str) and url.startswith(PREFIX) else None


def reference(path: str) -> str:
    """Return what stands for a document where it is mentioned."""
    return f"[document {path}]"


def mentions(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the paths that *item* mentions, each once, in order."""
    found: dict[str, None] = {}
    for name in PART_FIELDS:
        parts = item.get(name)
        for part in parts if isinstance(parts, list) else ():
            if (path := mentioned_path(part)) is not None:
                found[path] = None
    return tuple(found)


def embed(item: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """Return *item* with its mentions as text, and each of *texts*, by path, behind the first mention of it."""
    left = dict(texts)
    by_assistant = item.get("role") == "assistant"

    def parts(value: list[Any]) -> Iterator[Any]:
        for part in value:
            path = mentioned_path(part)
            if path is None:
                yield part
                continue
            yield text_part(reference(path), by_assistant=by_assistant)
            if path in left:
                yield text_part(left.pop(path), by_assistant=by_assistant)

    embedded = dict(item)
    for name in PART_FIELDS:
        if isinstance(item.get(name), list):
            embedded[name] = list(parts(item[name]))
    return embedded
