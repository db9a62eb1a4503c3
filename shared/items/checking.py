"""
Where items are checked: small ones on the event loop, which pydantic's import (80 ms) must not keep waiting.

    run_checks     a function that checks items, where it may run
    refuse_import  what stops it there, at the first item that is checked by its shape
"""

import sys
from asyncio import get_running_loop
from collections.abc import Callable

from shared.process.pool import Pool

SHAPES = "shared.items.types_check"
"""The module that imports pydantic."""


class NotImported(Exception):
    """An item has to be checked by its shape on the event loop, and what does that is not imported."""


def refuse_import() -> None:
    """Raise NotImported where the import of SHAPES would keep an event loop waiting."""
    if SHAPES in sys.modules:
        return
    try:
        get_running_loop()
    except RuntimeError:
        return
    raise NotImported


async def run_checks[T](pool: Pool, is_large: bool, function: Callable[[], T]) -> T:
    """
    Return what *function* returns; in the pool what *is_large*, and what imports SHAPES. It may be called twice, the
    first call does not end then.
    """
    if not is_large:
        try:
            return function()
        except NotImported:
            pass
    return await pool.run(function)
