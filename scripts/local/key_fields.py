"""
What the store holds of an API key, as the field `k:<hash>` of its tenant's hash: `<ends_at>`, and behind it the role,
where that is not the default one (shared/store/scripts/tenant/validity.lua reads it).
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from shared.request.roles import DEFAULT, ROLES

NEVER = 0
FORM = re.compile(r"(0|[1-9][0-9]*)(?: ([a-z]+))?")
UNREADABLE = "unreadable"
"""Shown as the role of a key whose field is of another form: no request is allowed to it."""


class KeyField(NamedTuple):
    """When a key ends, in Unix seconds, NEVER for never; and what it may do, which never changes."""

    ends_at_unix_s: int = NEVER
    role: str = DEFAULT

    @classmethod
    def read(cls, text: str) -> "KeyField":
        match = FORM.fullmatch(text)
        return cls(int(match[1]), match[2] or DEFAULT) if match else cls(role=UNREADABLE)

    def __str__(self) -> str:
        # The default is not written, so that releases which know of no roles go on with such a key.
        return str(self.ends_at_unix_s) if self.role == DEFAULT else f"{self.ends_at_unix_s} {self.role}"


def count_roles(fields: Iterable[str]) -> dict[str, int]:
    """Return how many keys have each role, of what is stored of them; roles that are not known stand last."""
    roles = [KeyField.read(field).role for field in fields]
    known = [role for role in ROLES if role in roles]
    return {role: roles.count(role) for role in (*known, *sorted(set(roles) - set(known)))}
