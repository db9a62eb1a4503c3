"""
Work for after the response: it must not make the caller wait, and the caller does not depend on it.

Vercel keeps an invocation open until Starlette's background task ends, but may suspend the instance after that,
so nothing is ever left to a task of its own.
"""

from collections.abc import Awaitable, Callable

from shared.errors import StoreUnavailable

TASKS_MAX = 8


class Later:
    """The work that one request leaves behind, run in order by `run`."""

    def __init__(self) -> None:
        self._tasks: list[Callable[[], Awaitable[object]]] = []

    def add(self, task: Callable[[], Awaitable[object]]) -> None:
        """Run *task* after the response. What it would have done must be optional."""
        assert len(self._tasks) < TASKS_MAX
        self._tasks.append(task)

    def offer(self, task: Callable[[], Awaitable[object]]) -> None:
        """Run *task* after the response if there is room for it; else a later request will find it due again."""
        if len(self._tasks) < TASKS_MAX:
            self._tasks.append(task)

    def __bool__(self) -> bool:
        return bool(self._tasks)

    async def run(self) -> None:
        """Run all tasks. When the store is away the rest is dropped: the next request finds it due again."""
        for task in self._tasks:
            try:
                await task()
            except StoreUnavailable:
                return
