"""
Paths of documents, and who may read them.

    as tenants write them     a.txt  notes/b.md  shared/c.md
    as the object store does  acme/a.txt  acme/notes/b.md  shared/c.md

A tenant reads its own folder and `shared/`. What names a document here is a Place: its scope (the tenant, or
"shared") and its path in there. No path leaves its scope: segments that climb, or are empty, are refused before
anything is asked.
"""

from typing import NamedTuple

from shared.errors import InvalidValue

PREFIX = "document:"
"""What the `file_url` of an `input_file` part starts with."""

SHARED = "shared"
PATH_BYTES_MAX = 512


class Place(NamedTuple):
    """Where a document stands."""

    scope: str
    path: str

    @property
    def object_path(self) -> str:
        """The name in the object store."""
        return f"{self.scope}/{self.path}"


def place_for(tenant: str, path: str) -> Place:
    """Return the place that *path* means for *tenant*; it was checked by `check_path`."""
    if path.startswith(f"{SHARED}/"):
        return Place(SHARED, path.removeprefix(f"{SHARED}/"))
    return Place(tenant, path)


def check_path(path: str, param: str) -> str:
    """Return *path*. Raises InvalidValue, naming *param*: it is none, or leads out of its folder."""
    if not 1 <= len(path.encode(errors="surrogatepass")) <= PATH_BYTES_MAX:
        raise InvalidValue(f"{param} must have a path of 1 to {PATH_BYTES_MAX} bytes.", param=param)
    segments = path.split("/")
    if any(segment in ("", ".", "..") for segment in segments):
        raise InvalidValue(f"{param} must have a path without empty segments, '.' and '..'.", param=param)
    if "\\" in path or not path.isprintable():
        raise InvalidValue(f"{param} must have a path of printable characters without backslashes.", param=param)
    return path


def read_object_path(object_path: str, param: str) -> Place:
    """Return the place of an object, named as the object store does. Raises InvalidValue."""
    scope, _, path = check_path(object_path, param).partition("/")
    if not path:
        raise InvalidValue(f"{param} must begin with a folder, as paths in the object store do.", param=param)
    return Place(scope, path)


INSTANCE_PATH = "/api/conversations"
"""Where the function that answers conversations takes the warming cron's call (shared/documents/warm.py)."""
