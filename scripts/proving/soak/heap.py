"""
The bytes that an instance's objects take, which tell a slow leak sooner than its resident memory does.

Resident memory goes up and down by pages, arenas and what allocators keep for later, by megabytes. What is in use is
known to the byte: blocks of Python's own allocator, and what the C library gave away. What libraries take from
allocators of their own is in neither; resident memory is judged beside it.

An instance looks at itself, now and then, when a request has ended, if it can when none is under way, garbage collected
before: in the same state each time. It leaves what it found in a file named by its pid.
"""

import contextlib
import ctypes
import gc
import os
import re
import time
from pathlib import Path

FOLDER_VARIABLE = "SOAK_HEAP_FOLDER"
EVERY_S, LATE_S = 1.0, 2.0
"""Between two looks, each of some 10 ms; and how long a look waits for a moment without a request."""

SIZE_CLASS = re.compile(rb"^\s*\d+\s+(\d+)\s+\d+\s+(\d+)\s+\d+$", re.MULTILINE)
"""A line of Python's report on its allocator: bytes of a block, blocks in use."""


MALLINFO = (
    "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
)  # fmt: skip


class _Mallinfo(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_size_t) for name in MALLINFO)


class Heap:
    """Looks for the process that it is in. Raises AttributeError: this system's libraries do not tell."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / str(os.getpid())
        self._next_s = 0.0
        library = ctypes.CDLL(None)
        self._mallinfo, self._stream, self._close = library.mallinfo2, library.open_memstream, library.fclose
        self._free, self._report = library.free, ctypes.pythonapi._PyObject_DebugMallocStats
        self._mallinfo.restype, self._stream.restype = _Mallinfo, ctypes.c_void_p
        self._close.argtypes = self._free.argtypes = self._report.argtypes = (ctypes.c_void_p,)

    def look(self, *, is_quiet: bool) -> None:
        """Leave what is in use, unless that was done just now; where it is not quiet only when that was long ago."""
        if time.monotonic() < self._next_s + (0 if is_quiet else LATE_S):
            return
        gc.collect()
        new = self._path.with_suffix(".new")
        new.write_text(str(self.in_use_bytes()))
        new.replace(self._path)
        self._next_s = time.monotonic() + EVERY_S

    def in_use_bytes(self) -> int:
        text, length = ctypes.c_void_p(), ctypes.c_size_t()
        stream = self._stream(ctypes.byref(text), ctypes.byref(length))
        self._report(stream)
        self._close(stream)
        told = ctypes.string_at(text.value or 0, length.value)
        self._free(text)
        given = self._mallinfo()
        blocks_bytes = sum(int(size) * int(count) for size, count in SIZE_CLASS.findall(told))
        return int(given.uordblks + given.hblkhd) + blocks_bytes


def read_heap(folder: Path, pid: int) -> int:
    """Return what the instance *pid* found last, 0 where it found nothing yet."""
    with contextlib.suppress(OSError, ValueError):
        return int((folder / str(pid)).read_text())
    return 0
