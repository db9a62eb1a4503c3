"""
What can go wrong, as callers see it. What an error stands for is said once, by its docstring: the table of problems in
the docs is made of slugs, statuses and these.

A raised ServiceError means that nothing was stored, with one exception that its text states: a write whose
answer was lost (`outcome_unknown` of StoreUnavailable and OutOfTime). Everything that is not a ServiceError is a bug
and becomes an opaque 500 (shared/http/problems.py).
"""

from typing import ClassVar

SHOWN_CHARS = 64
"""Enough of a text to recognise it by; the client knows the rest."""


class ServiceError(Exception):
    """A refusal that the client can act on. *extensions* become members of the problem document."""

    status: ClassVar[int]
    slug: ClassVar[str]
    title: ClassVar[str]
    type_uri: ClassVar[str] = ""
    """Where the problem's type is registered; ours without."""
    error_type: ClassVar[str] = "invalid_request_error"
    counted_as: ClassVar[str] = ""
    """What a refusal is counted as, where that is not its slug."""
    is_worth_retry: ClassVar[bool] = True
    """False: sent again it will be refused again; OpenAI's clients, who retry by status, are told so."""

    def __init__(
        self,
        detail: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after_s: float | None = None,
        etag: str | None = None,
        **extensions: object,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.param = param
        self.code = code or self.slug.replace("-", "_")
        self.retry_after_s = retry_after_s
        self.etag = etag
        self.extensions = extensions


class Malformed(ServiceError):
    """The request cannot be read: a body that is not JSON, a header that makes no sense."""

    status, slug, title = 400, "malformed-request", "Malformed request"


class InvalidValue(ServiceError):
    """A field or parameter has a value that is not allowed, or there is none of that name; `param` names it."""

    status, slug, title = 400, "invalid-value", "Invalid value"


class DuplicateItem(ServiceError):
    """An item id is taken in this conversation, or stands twice in the batch; nothing was stored."""

    status, slug, title = 400, "duplicate-item", "Duplicate item"


class Unauthorized(ServiceError):
    """There is no API key, or one that is not (or no longer) valid."""

    status, slug, title = 401, "unauthorized", "Invalid API key"
    error_type = "authentication_error"


class InsufficientRole(ServiceError):
    """The API key's `role` does not allow this; it takes a key with `required_role`, or more. Nothing was done."""

    status, slug, title = 403, "insufficient-role", "Insufficient role"
    error_type = "permission_error"

    def __init__(self, role: str, required_role: str, *, is_known: bool = True) -> None:
        whatever = "" if is_known else ", which this version does not know"
        super().__init__(
            f"The API key has the role {role!r}{whatever}; this takes {required_role!r}, or more. Nothing was done.",
            role=role,
            required_role=required_role,
        )


class BodyLate(ServiceError):
    """The body did not come in time, 5 s and one more for each megabyte that came; the connection is closed."""

    status, slug, title = 408, "body-late", "Body late"


class NotFound(ServiceError):
    """Nothing of that name exists here; what is another tenant's does not exist either."""

    status, slug, title = 404, "not-found", "Not found"


class VersionMoved(ServiceError):
    """
    `If-Match` names another version than the newest, which the `ETag` of the answer says, and of a conversation
    `version`; or `If-None-Match: *` is said of a document that exists.
    """

    status, slug, title = 412, "version-moved", "Version moved"


class ConversationExists(ServiceError):
    """There is a conversation of the `id` that was to get it, or there was one until it was deleted, within a day."""

    status, slug, title = 409, "conversation-exists", "Conversation exists"
    is_worth_retry = False


class BeingErased(ServiceError):
    """
    The user is being erased, and nothing of theirs is changed until that is done; or as many users of the tenant as may
    be at once are.
    """

    status, slug, title = 409, "being-erased", "Being erased"
    is_worth_retry = False


class ExportMoved(ServiceError):
    """An item of the export was deleted before its page, or the conversation was compacted: begin anew."""

    status, slug, title = 409, "export-moved", "Export moved"
    is_worth_retry = False


class ImportOutOfOrder(ServiceError):
    """The part does not follow what there is of the import; `sha256` names the newest part that there is, if any."""

    status, slug, title = 409, "import-out-of-order", "Import out of order"
    is_worth_retry = False


class AlreadySettled(ServiceError):
    """The reservation was settled before, with other numbers; those stand."""

    status, slug, title = 409, "already-settled", "Already settled"
    is_worth_retry = False


class ReservationEnded(ServiceError):
    """The reservation that this `Idempotency-Key` made is settled, released or expired: nothing was set aside."""

    status, slug, title = 409, "reservation-ended", "Reservation ended"
    is_worth_retry = False


class TooLarge(ServiceError):
    """A body, an item or a conversation would exceed its limit."""

    status, slug, title = 413, "too-large", "Too large"


class UnsupportedMedia(ServiceError):
    """The document is binary, or not UTF-8, or is sent as what is no text; nothing was stored."""

    status, slug, title = 415, "unsupported-media", "Unsupported media"


class TextNotCountable(ServiceError):
    """
    A text has no exact count: 65,536 characters without a place to cut it, or half of a pair of surrogates; `param`
    names it.
    """

    status, slug, title = 422, "text-not-countable", "Text not countable"

    def __init__(self, reason: str, text: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(f"{param or 'The text'} {reason}.", param=param, code=code)
        self.reason = reason
        self.text = text

    def at(self, param: str) -> "TextNotCountable":
        """Return the same of a text that stands at *param*."""
        return TextNotCountable(self.reason, self.text, code=self.code, param=param)


class KeyReused(ServiceError):
    """The `Idempotency-Key` came before, with another request."""

    status, slug, title = 422, "idempotency-key-reused", "Idempotency key reused"


class ContextDoesNotFit(ServiceError):
    """System messages, newest user message and last unit exceed the budget; `needed_tokens` would do."""

    status, slug, title = 422, "context-does-not-fit", "Context does not fit"

    def __init__(self, budget_tokens: int, needed_tokens: int) -> None:
        super().__init__(
            f"The system messages, the newest user message and the last unit need {needed_tokens} tokens; "
            f"the budget is {budget_tokens}.",
            param="budget",
            needed_tokens=needed_tokens,
        )
        self.needed_tokens = needed_tokens


class QuotaExceeded(ServiceError):
    """A rate or a budget is used up: `violated-policies` names which, `Retry-After`, `retry-after-ms` for how long."""

    status, slug, title = 429, "quota-exceeded", "Quota exceeded"
    type_uri = "https://iana.org/assignments/http-problem-types#quota-exceeded"

    def __init__(self, detail: str, policies: list[str], *, code: str, retry_after_s: float) -> None:
        super().__init__(detail, code=code, retry_after_s=retry_after_s)
        self.extensions["violated-policies"] = policies


class RateExceeded(QuotaExceeded):
    """The tenant sends requests faster than its rate allows; or a user, an agent (*kind*) than each of them may."""

    counted_as = "rate"
    error_type = "requests"

    def __init__(self, *, per_minute: int, burst: int, wait_s: float, weight: int = 1, kind: str = "") -> None:
        counts = f"this one counts as {weight}, and " if weight > 1 else ""
        of, policy = (f" of each {kind}", f"{kind}-burst") if kind else ("", "burst")
        detail = f"The rate{of} is {per_minute} requests a minute, at most {burst} at once; {counts}nothing was done."
        super().__init__(detail, [policy], code="rate_limit_exceeded", retry_after_s=wait_s)


class BudgetExceeded(QuotaExceeded):
    """A budget of the tenant, or of a user or an agent of it, is used up, or reserved, until its window ends."""

    counted_as = "budget"
    error_type = "insufficient_quota"
    is_worth_retry = False

    def __init__(self, detail: str, policy: str, *, retry_after_s: float, **extensions: object) -> None:
        super().__init__(detail, [policy], code="insufficient_quota", retry_after_s=retry_after_s)
        self.extensions |= extensions


class StorageExceeded(ServiceError):
    """The tenant's conversations take all the bytes that they may: what is deleted makes room."""

    status, slug, title = 429, "storage-exceeded", "Storage exceeded"
    counted_as = "storage"
    is_worth_retry = False
    error_type = "insufficient_quota"


class NotCached(ServiceError):
    """`only-if-cached` forbids asking the store, and this instance holds nothing fresh enough."""

    status, slug, title = 504, "not-cached", "Not cached"


class OutOfTime(ServiceError):
    """The platform's time limit came before the answer; `outcome_unknown` says whether a write may have been stored."""

    status, slug, title = 503, "out-of-time", "Out of time"
    error_type = "server_error"


class MemoryPressed(ServiceError):
    """The instance holds over 85 % of its memory, and the body is over 256 KiB; or too many requests wait for it."""

    status, slug, title = 503, "memory-pressed", "Memory pressed"
    counted_as = "memory"
    error_type = "server_error"


class NoSlot(MemoryPressed):
    """Too many requests wait for memory already."""

    counted_as = "slots"


class StoreUnavailable(ServiceError):
    """The store did not answer, or refused; `outcome_unknown` says whether a write may have been stored."""

    status, slug, title = 503, "store-unavailable", "Store unavailable"
    error_type = "server_error"


class StoreFull(StoreUnavailable):
    """
    The store has no room: its memory, its plan's size, or that of one record is used up; `outcome_unknown` says whether
    part of it may have been stored. Deleting makes room.
    """

    slug, title = "store-full", "Store full"
    is_worth_retry = False


class Misconfigured(ServiceError):
    """A setting that the route needs is wrong: `settings` says which, and what it has to be."""

    status, slug, title = 503, "misconfigured", "Misconfigured"
    error_type = "server_error"


class SourceUnavailable(ServiceError):
    """
    The object store that documents come from did not answer, or refused, and no copy will do; of a write
    `outcome_unknown` says whether it may have been stored.
    """

    status, slug, title = 503, "source-unavailable", "Source unavailable"
    error_type = "server_error"


KINDS = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
KINDS |= dict.fromkeys((int, float), "a number")


def kind_of(value: object) -> str:
    """Return what a value of JSON is, for the end of a refusal."""
    return KINDS[type(value)]


def quoted(text: str) -> str:
    """Return *text* in quotes, its beginning where it is long."""
    return f"'{text}'" if len(text) <= SHOWN_CHARS else f"'{text[:SHOWN_CHARS]}…'"


def shown(value: object) -> str:
    """Return a value for the end of a refusal where its words tell more than its kind: a string in quotes."""
    return quoted(value) if isinstance(value, str) else kind_of(value)


def one_of(choices: tuple[str, ...]) -> str:
    """Return *choices* as what a value must be."""
    *others, last = [f"'{choice}'" for choice in choices]
    return f"{', '.join(others)} or {last}" if others else last


def wrong_value(param: str, expected: str, got: str, **extensions: object) -> InvalidValue:
    """Return the refusal of a value: "items[0].role must be 'user' or 'system', not 'robot'." """
    return InvalidValue(f"{param} must be {expected}, not {got}.", param=param, **extensions)  # type: ignore[arg-type]


def wrong_kind(param: str, expected: str, value: object) -> InvalidValue:
    """Return the refusal of a value of another kind than *expected*; None stands for one that is absent."""
    return missing_value(param) if value is None else wrong_value(param, expected, kind_of(value))


def missing_value(param: str) -> InvalidValue:
    """Return the refusal of a request without *param*."""
    return InvalidValue(f"{param} is required.", param=param)
