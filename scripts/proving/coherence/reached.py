"""
What callers need of the instances that they call: plain ones, or one address behind which a platform picks them.
"""

from collections.abc import Sequence
from typing import Any, Protocol


class Instance(Protocol):
    """Where one is called."""

    @property
    def number(self) -> int: ...

    @property
    def url(self) -> str: ...


class Reached(Protocol):
    """Instances with one store, and a key that is valid there."""

    @property
    def key(self) -> str: ...

    @property
    def available(self) -> Sequence[Instance]:
        """Those that were not stopped."""
        ...

    def run(self, *command: str | int) -> Any:
        """Run one command on the store, past the service."""
        ...
