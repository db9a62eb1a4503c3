"""
API keys: `wt_<tenant>_<secret>`.

The store keeps the SHA-256 of a whole key as a field of its tenant's hash, and every script looks it up before
it does anything else. A lookup by hash gives a stranger's clock nothing to measure: what is compared is the hash
of a 190-bit secret, which the stranger does not know. The tenant stands in the key, so that the names of the
tenant's data are known before the store is asked; whoever changes it only asks another tenant for a key that is
not there.
"""

import re
import secrets
import string
from hashlib import sha256
from typing import NamedTuple

from shared.errors import Unauthorized

TENANT_PATTERN = re.compile(r"(?!shared(?![a-z0-9-]))[a-z0-9][a-z0-9-]{0,39}")
"""Bounded, because it becomes part of every name in the store; `shared` is the folder of documents for all."""

KEY_PATTERN = re.compile(rf"wt_({TENANT_PATTERN.pattern})_([A-Za-z0-9_-]{{5,128}})")

SECRET_ALPHABET = string.ascii_letters + string.digits
SECRET_LENGTH = 32


class Caller(NamedTuple):
    """Who asks: the tenant that the key names and the hash that proves it. Valid only once the store says so."""

    tenant: str
    key_hash: str


def read_key(key: str) -> Caller:
    """Return the caller that *key* claims to be. Raises Unauthorized: the key has not the form of one."""
    match = KEY_PATTERN.fullmatch(key)
    if match is None:
        raise Unauthorized("The API key must have the form wt_<tenant>_<secret>.", code="invalid_api_key")
    return Caller(match[1], sha256(key.encode()).hexdigest())


def read_authorization(header: str | None) -> Caller:
    """Return the caller named by an Authorization *header*. Raises Unauthorized."""
    if not header:
        raise Unauthorized("Send your API key as 'Authorization: Bearer wt_…'.", code="missing_api_key")
    scheme, _, key = header.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized("The Authorization header must be 'Bearer ' and an API key.", code="invalid_api_key")
    return read_key(key.strip())


def make_key(tenant: str) -> str:
    """Return a new random key for *tenant*."""
    return f"wt_{tenant}_" + "".join(secrets.choice(SECRET_ALPHABET) for _ in range(SECRET_LENGTH))
