"""The o200k_base count of a text by plain tiktoken: what the product's counts are held against."""

from functools import cache

from tiktoken import Encoding

from shared.tokens.encodings import load_encoding


@cache
def encoding() -> Encoding:
    """Return the encoding itself, loaded once."""
    return load_encoding("o200k_base")


@cache
def real_count(text: str) -> int:
    """Count *text*; special tokens are plain text."""
    return len(encoding().encode_ordinary(text))
