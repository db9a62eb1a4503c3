"""
What a source asks an HTTP API for, and how it says that it could not.
"""

from collections.abc import Mapping

from scripts.importing.api import Api, Refused, Unreachable
from scripts.importing.source import Json, SourceError


def ask(api: Api, path: str, query: Mapping[str, object]) -> Json:
    """Return what *api* answers. Raises SourceError: it refused, or did not answer."""
    try:
        return api.get(path, query).value
    except Refused as error:
        raise SourceError(f"the source refused GET {path}: {error}") from None
    except Unreachable as error:
        raise SourceError(str(error)) from None
