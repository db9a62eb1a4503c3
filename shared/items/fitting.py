"""
Names, pictures and data as providers admit them: what does not fit a pattern is made to fit, what is no picture of
theirs is told.

    OpenAI      names ^[a-zA-Z0-9_-]{1,64}$, of tools and of who speaks; pictures PNG, JPEG, GIF, WebP
    Anthropic   names ^[a-zA-Z0-9_-]{1,128}$; the same pictures
    Gemini      names of letters, digits, `_`, `.`, `:` and `-`, the first a letter or `_`, at most 64
"""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from typing import NamedTuple

UNNAMED = "tool"
"""The name of a call that came with an empty one."""

UNNAMED_FILE = "file"
"""The same of data that came without a filename."""

FILLER = "(no text)"
"""Stands where a provider demands a text and there is none to send."""

FILLER_TOKENS = 3
"""Of FILLER, in both encodings."""

IMAGE_NOTE = "[image]"
"""Stands for a picture in a result where results are text alone."""

NO_PICTURE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJg"
    "gg=="
)
"""Stands where a provider demands a picture and there is none that it takes: one transparent pixel."""

IMAGE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""What OpenAI and Anthropic take in the request itself."""

_NOT_IN_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_NOT_IN_GEMINI = re.compile(r"[^a-zA-Z0-9_.:-]")
_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^;,]*)*;base64,", re.IGNORECASE)
_WEB_URL = re.compile(r"https?://[^\s/]", re.IGNORECASE)

NAME_CHARS_MAX = 64
ANTHROPIC_NAME_CHARS_MAX = 128


class Data(NamedTuple):
    """What a data URL holds: its media type as providers spell it, and base64."""

    media_type: str
    base64: str


def function_name(name: str, chars_max: int = NAME_CHARS_MAX) -> str:
    """Return the name of a called tool as OpenAI, and with another *chars_max* Anthropic, admit it."""
    return _NOT_IN_NAME.sub("_", name)[:chars_max] or UNNAMED


def gemini_name(name: str) -> str:
    """Return the name of a called function as Gemini admits it."""
    fitted = _NOT_IN_GEMINI.sub("_", name)[:NAME_CHARS_MAX] or UNNAMED
    return fitted if fitted[0].isalpha() or fitted[0] == "_" else f"_{fitted}"[:NAME_CHARS_MAX]


def speaker(name: str) -> str:
    """Return the name of who speaks as Chat Completions admits it; "" for nobody's."""
    return name and _NOT_IN_NAME.sub("_", name)[:NAME_CHARS_MAX]


def read_data_url(url: str) -> Data | None:
    """Return what a data URL holds, None where it is none, or holds no base64 of at least a byte."""
    match = _DATA_URL.match(url)
    if match is None:
        return None
    base64 = url[match.end() :]
    if not is_base64(base64):
        return None
    media_type = match.group(1).lower()
    return Data("image/jpeg" if media_type == "image/jpg" else media_type, base64)


def web_url(url: str) -> str | None:
    """Return *url* as providers fetch it, with its scheme in small letters; None where they cannot."""
    if _WEB_URL.match(url) is None or any(character.isspace() for character in url):
        return None
    scheme, colon, rest = url.partition(":")
    return url if scheme.islower() else scheme.lower() + colon + rest


def read_base64(text: str) -> str | None:
    """
    Return base64 of at least a byte in its standard form, None for what is none. Google's clients write `-` and `_` for
    `+` and `/`, and its API takes both.
    """
    standard = text.replace("-", "+").replace("_", "/").rstrip("=")
    standard += "=" * (-len(standard) % 4)
    return standard if is_base64(standard) else None


def is_base64(text: str) -> bool:
    try:
        return bool(a2b_base64(text, strict_mode=True))
    except (Base64Error, ValueError):
        return False


def image_url(url: str) -> str | None:
    """Return *url* of a picture as OpenAI takes it, None where it does not."""
    if (address := web_url(url)) is not None:
        return address
    data = read_data_url(url)
    return None if data is None or data.media_type not in IMAGE_TYPES else _plain(url, data)


def file_url(url: str) -> str | None:
    """Return *url*, a data URL of a file, as OpenAI takes it, None where it is none or does not say of which type."""
    data = read_data_url(url)
    return None if data is None or not data.media_type else _plain(url, data)


def _plain(url: str, data: Data) -> str:
    """Return *url*, which holds *data*, with nothing but its type before that."""
    head = f"data:{data.media_type};base64,"
    return url if url.startswith(head) else head + data.base64
