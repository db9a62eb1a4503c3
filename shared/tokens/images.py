"""
What images cost, by the published tile rule of gpt-4o, and how large an image in a `data:` URL is.

Other models price images otherwise; for them the number is an estimate. Sizes are read from the header of a PNG,
JPEG, GIF or WebP; the rest of its base64 is never decoded.
"""

from binascii import Error as Base64Error
from binascii import a2b_base64

# A tile of 512 x 512 costs 170 tokens, beside 85 for the image; before that it is scaled down to fit a square of
# 2,048 and a shorter side of 768. So 2 x 4 tiles are the most that an image can have.
BASE_TOKENS = 85
TILE_TOKENS = 170
TILE_PIXELS = 512
LONGER_SIDE_PIXELS_MAX = 2_048
SHORTER_SIDE_PIXELS_MAX = 768
TILES_MAX = 8

_JPEG_SEGMENTS_MAX = 100
_JPEG_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
# Start of frame: all of 0xC0 to 0xCF but the tables that share the range.
_JPEG_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def image_tokens(detail: str, width: int, height: int) -> int:
    """Return the tokens of an image; *detail* is low, high or auto, which counts as high."""
    if detail == "low":
        return BASE_TOKENS
    longer, shorter = max(width, height), min(width, height)
    numerator, denominator = 1, 1
    for limit, side in ((LONGER_SIDE_PIXELS_MAX, longer), (SHORTER_SIDE_PIXELS_MAX, shorter)):
        if limit * denominator < numerator * side:
            numerator, denominator = limit, side
    across, down = (-(-side * numerator // (denominator * TILE_PIXELS)) for side in (width, height))
    return BASE_TOKENS + TILE_TOKENS * across * down


def image_bound(detail: str = "auto") -> int:
    """Return the most tokens that an image of *detail* can cost: what one of unknown size counts."""
    return BASE_TOKENS if detail == "low" else BASE_TOKENS + TILE_TOKENS * TILES_MAX


def data_url_size(url: str) -> tuple[int, int] | None:
    """Return width and height of the image in a base64 `data:` *url*; None if they cannot be read from it."""
    comma = url.find(",", 0, 200)
    if comma < 0 or not url.startswith("data:") or not url.endswith(";base64", 0, comma):
        return None
    content = _Base64(url, comma + 1)
    try:
        size = _size(content)
    except (Base64Error, IndexError, ValueError):  # Not base64, cut short, or not ASCII.
        return None
    return size if size and min(size) > 0 else None


class _Base64:
    """Reads from the middle of base64 text, which has three bytes in each four characters."""

    def __init__(self, text: str, start: int) -> None:
        self._text = text
        self._start = start

    def read(self, offset: int, count: int) -> bytes:
        """Return *count* bytes at *offset*. Raises IndexError: there are fewer."""
        first, last = offset // 3, (offset + count + 2) // 3
        group = a2b_base64(self._text[self._start + 4 * first : self._start + 4 * last])
        found = group[offset - 3 * first :][:count]
        if len(found) < count:
            raise IndexError
        return found

    def number(self, offset: int, count: int) -> int:
        return int.from_bytes(self.read(offset, count))

    def number_little(self, offset: int, count: int) -> int:
        return int.from_bytes(self.read(offset, count), "little")


def _size(content: _Base64) -> tuple[int, int] | None:
    head = content.read(0, 10)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return content.number(16, 4), content.number(20, 4)
    if head.startswith((b"GIF87a", b"GIF89a")):
        return content.number_little(6, 2), content.number_little(8, 2)
    if head.startswith(b"\xff\xd8"):
        return _jpeg_size(content)
    if head.startswith(b"RIFF") and content.read(8, 4) == b"WEBP":
        return _webp_size(content)
    return None


def _jpeg_size(content: _Base64) -> tuple[int, int] | None:
    offset = 2
    for _ in range(_JPEG_SEGMENTS_MAX):
        mark, marker = content.read(offset, 2)
        if mark != 0xFF:
            return None
        if marker == 0xFF:  # A filling byte.
            offset += 1
        elif marker in _JPEG_WITHOUT_LENGTH:
            offset += 2
        elif marker in _JPEG_FRAMES:
            return content.number(offset + 7, 2), content.number(offset + 5, 2)
        else:
            offset += 2 + content.number(offset + 2, 2)
    return None


def _webp_size(content: _Base64) -> tuple[int, int] | None:
    match content.read(12, 4):
        case b"VP8 ":
            return content.number_little(26, 2) & 0x3FFF, content.number_little(28, 2) & 0x3FFF
        case b"VP8L":
            bits = content.number_little(21, 4)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            return content.number_little(24, 3) + 1, content.number_little(27, 3) + 1
        case _:
            return None
