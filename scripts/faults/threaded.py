"""A network that misbehaves, in a thread with a loop of its own, so that tests which wait may use it."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Protocol, Self


class Listening(Protocol):
    """What accepts connections on the loop of who calls it."""

    async def listen(self) -> None: ...

    async def leave_now(self) -> None: ...


class InThread:
    """Mixed into a Listening: it runs from `with` to its end."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="faulty", daemon=True)

    def leave(self: "_Both") -> None:
        """Refuse connections, and cut those there are."""
        self._call(self.leave_now())

    def come_back(self: "_Both") -> None:
        """Accept connections again, at the same address."""
        self._call(self.listen())

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self.listen())  # type: ignore[attr-defined]  # of what it is mixed into.
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._call(self.leave_now())  # type: ignore[attr-defined]  # of what it is mixed into.
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=5)


class _Both(Listening, Protocol):
    def _call(self, work: Coroutine[Any, Any, None]) -> None: ...
