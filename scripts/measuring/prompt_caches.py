"""
What providers' prompt caches read of what was sent before, by their published rules as of November 2026.

    OpenAI, GPT-5.6     reads 0.1, writes 1.25; from 1,024 tokens; a request writes its breakpoints, at most four, one
                        of them by itself at the newest message, and reads the longest beginning that was written
    OpenAI, before      reads 0.5, writes free; from 1,024 tokens; reads the longest beginning that was sent
    Anthropic           reads 0.1, writes 1.25; from 1,024 tokens; a request writes its marks, at most four, one of them
                        by itself at the end, and reads the longest that was written within 20 blocks before one
    Gemini 2.5          reads 0.1, writes free; from 2,048 tokens; reads the longest beginning that was sent
    Gemini 3            reads 0.1, writes free; from 4,096 tokens; reads the longest beginning that was sent

Sources: OpenAI's guide on prompt caching (developers.openai.com/api/docs/guides/prompt-caching), Anthropic's (platform
docs, "Prompt caching"), Gemini's (ai.google.dev/gemini-api/docs/caching, of 2026-10-13).
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

MARKS_MAX = 4
LOOKBACK = 20


class Prompt(NamedTuple):
    """
    What is sent: *texts* of the system and of each message, and what each counts. *marks*: after how many of them a
    beginning ends that is to be cached. *is_over*: the conversation is longer than its budget.
    """

    texts: Sequence[bytes]
    counts: Sequence[float]
    marks: Sequence[int]
    tokens: int
    is_over: bool


class Provider(NamedTuple):
    """
    *writes_marks*: beginnings are kept that end at a mark, one of which stands at the end by itself; else all are.
    *lookback*: how many texts before a mark one may end that is read, 0 for any number.
    """

    name: str
    format: str
    read_price: float
    write_price: float
    tokens_min: int
    writes_marks: bool
    lookback: int = 0


PROVIDERS = (
    Provider("OpenAI, from GPT-5.6", "chat", 0.1, 1.25, 1_024, writes_marks=True),
    Provider("OpenAI, before", "chat", 0.5, 1.0, 1_024, writes_marks=False),
    Provider("Anthropic", "anthropic", 0.1, 1.25, 1_024, writes_marks=True, lookback=LOOKBACK),
    Provider("Gemini 2.5", "gemini", 0.1, 1.0, 2_048, writes_marks=False),
    Provider("Gemini 3", "gemini", 0.1, 1.0, 4_096, writes_marks=False),
)


class Told(NamedTuple):
    """Of all input tokens the share that was read, of calls that of those which read nothing; *cost*: uncached is 1."""

    read_share: float
    miss_share: float
    cost: float


def replay(provider: Provider, prompts: Sequence[Prompt]) -> Told:
    """Send *prompts* one after the other."""
    written: set[bytes] = set()
    read_tokens = all_tokens = cost = 0.0
    misses = 0
    for prompt in prompts:
        names, sums = _beginnings(prompt)
        ends = _marks(provider, prompt)
        read = max((sums[end] for end in _readable(provider, ends, names, written)), default=0.0)
        kept = ends if provider.writes_marks else range(1, len(names))
        large = [end for end in kept if sums[end] >= provider.tokens_min]
        paid = max((sums[end] for end in large), default=0.0)
        written |= {names[end] for end in large}
        read = read if read >= provider.tokens_min else 0.0
        misses += read == 0.0
        read_tokens += read
        all_tokens += sums[-1]
        cost += provider.read_price * read + provider.write_price * max(0.0, paid - read)
        cost += sums[-1] - max(paid, read)
    return Told(read_tokens / all_tokens, misses / len(prompts), cost / all_tokens)


def _beginnings(prompt: Prompt) -> tuple[list[bytes], list[float]]:
    """Return for each number of texts what names that beginning, and what it counts."""
    digest, names, sums = blake2b(digest_size=16), [b""], [0.0]
    for text, count in zip(prompt.texts, prompt.counts, strict=True):
        digest.update(len(text).to_bytes(8) + text)
        names.append(digest.digest())
        sums.append(sums[-1] + count)
    return names, sums


def _marks(provider: Provider, prompt: Prompt) -> list[int]:
    return sorted({len(prompt.texts), *list(prompt.marks)[: MARKS_MAX - 1]}) if provider.writes_marks else []


def _readable(provider: Provider, ends: Sequence[int], names: Sequence[bytes], written: set[bytes]) -> list[int]:
    """Return after how many texts a beginning ends that may be read."""
    if not provider.lookback:
        return [at for at in range(1, len(names)) if names[at] in written]
    near = {at for end in ends for at in range(max(1, end - provider.lookback), end + 1)}
    return [at for at in near if names[at] in written]
