"""
How the API refuses: a status, and a body of one shape. Source: https://vercel.com/docs/rest-api/errors.
"""

import math
from typing import Any


class ApiRefusal(Exception):  # an error is named for what happened.
    """An answer of 4xx."""

    def __init__(self, status: int, code: str, message: str, **extra: object) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self._extra = extra

    def document(self) -> dict[str, Any]:
        return {"error": {"code": self.code, "message": str(self), **self._extra}}


def rate_limited(reset_unix_s: float, limit: int) -> ApiRefusal:
    """Return the refusal of a call too many; *reset_unix_s*: when there may be one again."""
    told = {"remaining": 0, "reset": math.ceil(reset_unix_s), "resetMs": int(reset_unix_s * 1_000), "total": limit}
    return ApiRefusal(429, "rate_limited", f"The rate limit of {limit} exceeded. Try again later", limit=told)
