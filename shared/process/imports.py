"""
What is looked for at each request though it is not there.

Vercel's launcher tries to import `vercel` four times for each request, for those who have its SDK. Python does not
remember that a search failed, and each one asks the file system about every place: 0.2 ms of the event loop a request.
"""

import sys
from importlib.util import find_spec

LOOKED_FOR = "vercel"


def remember_missing(name: str = LOOKED_FOR) -> None:
    """Have imports of *name* fail without a search from now on, if it is not installed; for the whole process."""
    if name not in sys.modules and find_spec(name) is None:
        sys.modules[name] = None  # type: ignore[assignment]  # Python's own sign for that: it raises ModuleNotFoundError.
