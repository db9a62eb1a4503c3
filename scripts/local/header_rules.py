"""
The `headers` of vercel.json: what is added to the answers of paths as they were asked for, before any rewrite.

Every rule that matches applies, a later one over an earlier; what a function says itself stands. A source is written as
in rewrites, and a key that is not understood is an error.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from starlette.types import Message, Send

from scripts.local.rewrites import compiled_source


class HeaderRule(NamedTuple):
    """`headers` are pairs of a name in lower case and a value, as ASGI has them."""

    pattern: re.Pattern[str]
    headers: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def of(cls, rule: Mapping[str, Any]) -> "HeaderRule":
        """Raises ValueError for a rule that is not understood."""
        unknown = sorted(rule.keys() ^ {"source", "headers"})
        if unknown or any(header.keys() != {"key", "value"} for header in rule["headers"]):
            raise ValueError(
                f"could not read a rule of headers: {', '.join(unknown) or 'a header is a key and a value'}"
            )
        pattern, _ = compiled_source(rule["source"])
        pairs = [(header["key"].lower().encode(), header["value"].encode()) for header in rule["headers"]]
        return cls(pattern, tuple(pairs))


def headers_of(rules: Iterable[HeaderRule], path: str) -> dict[bytes, bytes]:
    """Return what *rules* add to the answer of *path*."""
    return {name: value for rule in rules if rule.pattern.fullmatch(path) for name, value in rule.headers}


def sending_with(headers: Mapping[bytes, bytes], send: Send) -> Send:
    """Return *send*, with those of *headers* added that an answer does not have."""

    async def added(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = list(message.get("headers", []))
            named = {name.lower() for name, _ in own}
            message = {**message, "headers": own + [pair for pair in headers.items() if pair[0] not in named]}
        await send(message)

    return added
