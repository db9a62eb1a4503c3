"""
A function of a build, laid out as the platform would have it: its files at their paths, in a folder of its own.
"""

import asyncio
import shutil
import tempfile
from pathlib import Path

from scripts.deploy.bundle import Function
from scripts.deploy.launcher import materialise


class Layout:
    """The folder of one *function*, made when its first instance starts; all its instances share it."""

    def __init__(self, function: Function) -> None:
        self.environment = function.environment
        self.program = f"import {function.module}"
        self._function = function
        self._folder = Path(tempfile.mkdtemp(prefix="wt-"))
        self._making: asyncio.Task[None] | None = None

    async def folder(self) -> Path:
        """Return it when all is there. Raises OSError: something could not be copied."""
        if self._making is None:
            self._making = asyncio.create_task(asyncio.to_thread(materialise, self._function, self._folder))
        await asyncio.shield(self._making)
        return self._folder

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
