"""
Work that nobody waits for: its failures are told, and kept from the rest of it.

    with Contained("compaction", tenant, conversation_id) as work: ...
    work.error      None, or what was told: in one line, which work, for what, and why

What is worked on is told by its mark (log.py), so that lines about the same thing can be found, and nobody's names are
in the log. Not what an exception says either, but for what the store's client says of itself: it may be a caller's
text.
"""

import asyncio
import traceback
from types import TracebackType
from typing import Self

from shared.errors import ServiceError, StoreUnavailable
from shared.process import log

ENDS = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)
"""What has to go on to whoever ends the work."""


class Contained:
    """A block that is the work *name* for *subject*; its failure is told instead of raised. *error*: that failure."""

    def __init__(self, name: str, *subject: str) -> None:
        self._name = name
        self._subject = subject
        self.error: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        # All but what ends the work: a panic of a library's native code is no Exception.
        if error is None or isinstance(error, ENDS):
            return False
        self.error = error
        tell(self._name, self._subject, error)
        return True


def tell(name: str, subject: tuple[str, ...], error: BaseException) -> None:
    """Write into the log that the work *name* for *subject* failed with *error*."""
    what = f"{name}, for {log.mark(*subject)}," if subject else name
    if isinstance(error, ServiceError):
        cause = f": {error.__cause__}" if isinstance(error, StoreUnavailable) and error.__cause__ else ""
        log.warning(f"background: {what} failed: {error.slug}{cause}")
    else:
        where = "".join(traceback.format_tb(error.__traceback__))
        log.error(f"background: {what} failed: {type(error).__name__}", traceback=where)
