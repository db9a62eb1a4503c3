"""
What can go wrong with a call.

WarmthreadError
├── Unreachable             no answer came within the deadline
└── Problem                 the service refused; its members are the fields of problem+json (RFC 9457)
    ├── InvalidRequest      400: malformed or not allowed; `param` names the place
    ├── Unauthorized        401, 403: the key
    ├── NotFound            404: no such conversation or item, or another tenant's
    ├── Conflict            409, 412: someone else was first
    ├── TooLarge            413
    ├── CannotBeDone        422: right, and impossible
    │   └── ContextDoesNotFit   `needed_tokens` says which budget would do
    ├── LimitReached        429: a rate or a budget; `retry_after_s`
    └── Unavailable         500 and above; `retry_after_s`
"""

from collections.abc import Mapping
from typing import Any


class WarmthreadError(Exception):
    """A call that did not come about. *outcome_unknown*: what it writes may be stored all the same."""

    outcome_unknown = False


class Unreachable(WarmthreadError):
    """No answer came within the deadline, attempts included."""

    def __init__(self, reason: str, *, outcome_unknown: bool) -> None:
        super().__init__(f"could not reach Warmthread: {reason}")
        self.outcome_unknown = outcome_unknown


class Problem(WarmthreadError):
    """
    The service's refusal. *code* is the problem's name (`context_does_not_fit`), *fields* all of its members, *param*
    the place in the request, *request_id* what the service's log calls it. *is_appended*: the items of the turn are
    stored, only its context could not be made.
    """

    def __init__(self, status: int, fields: Mapping[str, Any], *, is_appended: bool = False) -> None:
        error = fields.get("error")
        named: Mapping[str, Any] = error if isinstance(error, Mapping) else fields
        self.status = status
        self.fields = fields
        self.code = str(named.get("code") or "")
        self.detail = str(fields.get("detail") or named.get("message") or "no reason was given")
        self.param: str | None = named.get("param")
        self.request_id = str(fields.get("request_id") or "")
        self.retry_after_s: float | None = fields.get("retry_after_s")
        self.is_appended = is_appended
        self.outcome_unknown = bool(fields.get("outcome_unknown"))
        super().__init__(f"{status} {self.code}: {self.detail}")


class InvalidRequest(Problem):
    """The request is malformed, or not allowed; `param` names the place."""


class Unauthorized(Problem):
    """The key is unknown, or may not do this."""


class NotFound(Problem):
    """There is no such conversation or item, or it is another tenant's."""


class Conflict(Problem):
    """Someone else was first."""


class TooLarge(Problem):
    """The body, a batch or the conversation exceeds a limit."""


class CannotBeDone(Problem):
    """The request is right, and cannot be done."""


class ContextDoesNotFit(CannotBeDone):
    """What a context must keep does not fit its budget; `needed_tokens` would do."""

    @property
    def needed_tokens(self) -> int:
        return int(self.fields["needed_tokens"])


class LimitReached(Problem):
    """A rate or a budget is used up."""


class Unavailable(Problem):
    """The service, or its store, cannot answer at present."""


_BY_STATUS: Mapping[int, type[Problem]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Conflict,
    412: Conflict,
    413: TooLarge,
    422: CannotBeDone,
    429: LimitReached,
}


def problem(status: int, fields: Mapping[str, Any], *, is_appended: bool = False) -> Problem:
    """Return the error that a refusal of *status* is."""
    if status >= 500:
        kind: type[Problem] = Unavailable
    else:
        kind = _BY_STATUS.get(status, InvalidRequest)
    error = kind(status, fields, is_appended=is_appended)
    if error.code == "context_does_not_fit":
        return ContextDoesNotFit(status, fields, is_appended=is_appended)
    return error
