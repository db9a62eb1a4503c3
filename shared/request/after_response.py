"""
Work for after the response: it must not make the caller wait, and the caller does not depend on it.

Vercel keeps an invocation open until Starlette's background task ends, but may suspend the instance after that,
so nothing is ever left to a task of its own. What fails is told (shared/process/background.py) and does not stop the
rest.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from shared.process.background import Contained

TASKS_MAX = 8


class Task(NamedTuple):
    """Work, and what the log calls it: its *name* and the *subject* that it is for."""

    work: Callable[[], Awaitable[object]]
    name: str
    subject: tuple[str, ...]


class Later:
    """The work that one request leaves behind, run in order by `run`."""

    def __init__(self) -> None:
        self._tasks: list[Task] = []

    def add(self, work: Callable[[], Awaitable[object]], name: str, *subject: str) -> None:
        """Do *work*, called *name* and for *subject*, after the response. What it does must be optional."""
        assert len(self._tasks) < TASKS_MAX
        self._tasks.append(Task(work, name, subject))

    def offer(self, work: Callable[[], Awaitable[object]], name: str, *subject: str) -> None:
        """The same if there is room for it; else a later request will find it due again."""
        if len(self._tasks) < TASKS_MAX:
            self._tasks.append(Task(work, name, subject))

    def __bool__(self) -> bool:
        return bool(self._tasks)

    async def run(self) -> None:
        """Do all of it. What fails, because the store is away for instance, the next request finds due again."""
        for task in self._tasks:
            with Contained(task.name, *task.subject):
                await task.work()
