"""Images count by the published tile rule; sizes come from headers, whatever else is in the file."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.tokens.images import data_url_size, image_bound, image_tokens

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (640).to_bytes(4) + (480).to_bytes(4)
GIF = b"GIF89a" + (640).to_bytes(2, "little") + (480).to_bytes(2, "little")
# An application segment of 40,000 bytes, a filling byte, then the start of frame: precision, height, width.
JPEG = b"\xff\xd8\xff\xe1" + (40_000).to_bytes(2) + bytes(39_998) + b"\xff\xff\xc2\0\x11\x08" + b"\x01\xe0\x02\x80"
WEBP_LOSSY = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x80\x02\xe0\x01"
WEBP_LOSSLESS = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + (639 | 479 << 14).to_bytes(4, "little")
WEBP_EXTENDED = b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0" + b"\x7f\x02\0\xdf\x01\0"
IMAGES = [PNG, GIF, JPEG, WEBP_LOSSY, WEBP_LOSSLESS, WEBP_EXTENDED]


def url_of(content: bytes) -> str:
    return "data:image/any;base64," + base64.b64encode(content).decode()


@pytest.mark.parametrize(
    ("detail", "width", "height", "tokens"),
    [
        ("high", 1024, 1024, 765),
        ("high", 2048, 4096, 1105),
        ("low", 4096, 8192, 85),
        ("auto", 512, 512, 255),
        ("high", 1, 1, 255),
        ("high", 768, 2048, 1445),
        ("high", 100, 100_000, 85 + 170 * 4),
    ],
)
def test_an_image_costs_what_is_published(detail: str, width: int, height: int, tokens: int) -> None:
    assert image_tokens(detail, width, height) == image_tokens(detail, height, width) == tokens


@given(st.integers(1, 2**32), st.integers(1, 2**32))
def test_no_image_costs_more_than_the_bound(width: int, height: int) -> None:
    assert image_tokens("high", width, height) <= image_bound()


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("rest", [b"", b"\0", b"the rest of the file"])
def test_the_size_is_read_from_the_header(image: bytes, rest: bytes) -> None:
    assert data_url_size(url_of(image + rest)) == (640, 480)


@pytest.mark.parametrize("image", IMAGES)
def test_the_rest_of_the_file_is_never_decoded(image: bytes) -> None:
    padded = image + bytes(-len(image) % 3)

    assert data_url_size(url_of(padded) + "é" * 100) == (640, 480)


@pytest.mark.parametrize("image", IMAGES)
def test_a_file_cut_short_has_no_size(image: bytes) -> None:
    for length in (0, 1, 9, len(image) - 1):
        assert data_url_size(url_of(image[:length])) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a.png",
        "data:image/png," + "A" * 100,
        "data:image/png;base64,",
        "data:image/png;base64,é" + "A" * 100,
        "data:image/png;base64,A",
        url_of(b"BM" + bytes(100)),
        url_of(b"\xff\xd8" + bytes(100)),
        url_of(b"\xff\xd8" + b"\xff" * 10_000),
        url_of(b"\xff\xd8" + b"\xff\xe0\0\0" * 10_000),
        url_of(b"RIFF\0\0\0\0WEBPXXXX" + bytes(100)),
        url_of(PNG[:16] + bytes(8)),
    ],
)
def test_what_is_no_image_of_a_known_kind_has_no_size(url: str) -> None:
    assert data_url_size(url) is None


@given(st.binary(max_size=200), st.sampled_from(IMAGES))
def test_no_content_makes_reading_a_size_fail(content: bytes, image: bytes) -> None:
    for mixed in (content, image[:12] + content, image[:3] + content):
        size = data_url_size(url_of(mixed))

        assert size is None or min(size) > 0
