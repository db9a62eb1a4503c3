"""
Which kinds of errors there are, for whoever lists or counts them: all of shared/errors.py, by its classes.
"""

from shared.errors import ServiceError

STARLETTE_REASONS = ("not-found", "method-not-allowed")
"""What Starlette refuses itself."""


def problem_types() -> list[type[ServiceError]]:
    """Return the errors that are a problem of their own, by name; others are kinds of one of them."""
    return sorted((each for each in _kinds() if "slug" in vars(each)), key=lambda each: each.slug)


def refusal_reasons() -> frozenset[str]:
    """Return all that a refusal may be counted as."""
    named = [each for each in _kinds() if hasattr(each, "slug")]
    return frozenset((*(each.counted_as or each.slug for each in named), *STARLETTE_REASONS))


def _kinds() -> list[type[ServiceError]]:
    found: list[type[ServiceError]] = []
    open_ = ServiceError.__subclasses__()
    while open_:
        each = open_.pop()
        found.append(each)
        open_ += each.__subclasses__()
    return found
