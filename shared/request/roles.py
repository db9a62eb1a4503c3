"""
Roles of API keys: what whoever has a key may do with it, each all that the ones before it may.

A route says which role it takes at least (shared/routes.py). Which roles that allows stands behind the hash of the key
in what every script is sent, and the script compares (validity.lua): so this order is known here alone, and a role
that it does not know is allowed nothing.
"""

READ, APPEND, FULL, ADMIN = ROLES = ("read", "append", "full", "admin")

DEFAULT = FULL
"""That of a key which was made without one, as all were that older releases made."""

MEANINGS = {
    READ: "look at everything",
    APPEND: "begin conversations and go on with them, and spend budgets",
    FULL: "change and delete what there is",
    ADMIN: "erase all that there is of a user",
}
"""What is added by each, in a few words."""


def allowed(least: str) -> str:
    """
    Return the roles that may do what takes *least*, each between slashes, as scripts read them. Raises ValueError:
    there is no such role.
    """
    return f"/{'/'.join(ROLES[ROLES.index(least) :])}/"


def is_enough(role: str, least: str) -> bool:
    """Tell whether a key of *role* may do what takes *least*."""
    return role in ROLES[ROLES.index(least) :]


def highest(*roles: str) -> str:
    """Return the one of *roles* that may do most."""
    return max(roles, key=ROLES.index)
