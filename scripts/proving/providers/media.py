"""What validators ask of pictures and other data that stand in a request."""

import base64
import binascii
import re
from typing import Any

OPENAI_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_DATA_URL = re.compile(r"data:([^;,]*);base64,(.*)", re.DOTALL)
_URL = re.compile(r"https?://[^\s/]+.*")


def is_base64(data: str) -> bool:
    """Whether *data* is base64 of at least one byte, padded, in the standard alphabet."""
    try:
        return bool(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        return False


def is_url(url: str) -> bool:
    return _URL.fullmatch(url) is not None


def data_url_type(url: str) -> str | None:
    """Return the media type of a data URL with base64 in it, None for another text."""
    match = _DATA_URL.fullmatch(url)
    return match.group(1) if match and is_base64(match.group(2)) else None


def is_openai_image(url: str) -> bool:
    """Whether OpenAI takes *url* for an image: fetched, or in the URL itself."""
    return is_url(url) or data_url_type(url) in OPENAI_IMAGES


def is_anthropic_source(source: dict[str, Any], media_types: tuple[str, ...], kinds: tuple[str, ...]) -> bool:
    """Whether *source* is of one of *kinds*, with the fields of its kind and nothing else."""
    kind, fields = source["type"], source.keys() - {"type"}
    if kind not in kinds:
        return False
    if kind == "base64":
        is_whole = fields == {"media_type", "data"}
        return is_whole and source["media_type"] in media_types and is_base64(source["data"])
    if kind == "url":
        return fields == {"url"} and is_url(source["url"])
    if kind == "file":
        return fields == {"file_id"} and bool(source["file_id"])
    if kind == "text":
        return fields == {"media_type", "data"} and source["media_type"] == "text/plain" and bool(source["data"])
    return fields == {"content"} and bool(source["content"])
