"""What the deployment check says: a line when a step begins, its time when it ends, and why it failed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

MB = 1_000_000


class CheckFailed(Exception):
    """The deployment would not work as promised; the text says which promise and what was found."""


@contextmanager
def step(title: str) -> Iterator[None]:
    """Announce *title*, and its duration once the block has passed."""
    print(f"- {title}", flush=True)
    began_at_s = time.monotonic()
    yield
    print(f"    {time.monotonic() - began_at_s:.1f} s", flush=True)


def detail(text: str) -> None:
    """Print *text* below the step that is running."""
    print(f"    {text}", flush=True)
