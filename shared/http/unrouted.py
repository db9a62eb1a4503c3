"""
What is said of a path that leads nowhere: what was probably meant.

The platform asks a function only about the paths that vercel.json sends to one. Those that begin like one of ours, and
those below /v1, are sent here; all others are answered by the platform itself.
"""

from urllib.parse import quote

PREFIX = "/v1"
PATH_CHARS_MAX = 200
"""As much of a path stands in the answer."""

NAMES = ("changes", "conversations", "documents", "openapi.json", "reservations", "tokens", "usage", "users")
"""What may follow the prefix."""


def meant(path: str) -> str | None:
    """Return what *path* was meant to be: with the prefix, once, and no slash at the end. None: nobody knows."""
    parts = [part for part in path.split("/") if part]
    while parts[:1] == [PREFIX.strip("/")]:
        del parts[0]
    wanted = "/".join((PREFIX, *parts))
    is_ours = parts[:1] != [] and parts[0] in NAMES and wanted != path
    return quote(wanted) if is_ours and len(path) <= PATH_CHARS_MAX else None


def hint(path: str) -> str:
    """Return what to do instead of asking for *path*."""
    wanted = meant(path)
    if wanted is None:
        return f"{PREFIX}/openapi.json lists all paths"
    if path.startswith(PREFIX * 2):
        return f"it has {PREFIX} twice, which base_url may have already; {wanted} may be meant"
    if not path.startswith(f"{PREFIX}/"):
        return f"it lacks {PREFIX}, which base_url has to end with; {wanted} may be meant"
    return f"it has a slash too many; {wanted} may be meant"
