"""
Receipts of erasures: what was erased, how much of it, when, and by which deployment, signed with the setting
`receipt_secret`.

    signed    a receipt -> the JSON object that the client keeps
    verify    such an object -> whether it is as it was signed

The signature is an HMAC-SHA256 of the object without it, as JSON with sorted names and without blanks. To whoever has
the secret it proves that the service wrote the receipt; who has not can check nothing.
"""

import hmac
from enum import Enum
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

ALGORITHM = "HMAC-SHA256"
OBJECT = "erasure.receipt"
UNSIGNED = "WARMTHREAD_RECEIPT_SECRET is not set where this was erased: nobody can tell whether the receipt is genuine."
KEY_ID_DIGITS = 8


class Receipt(NamedTuple):
    """
    What one erasure did. *erased*: `user` or `tenant`; *subject_sha256*: of the name of who that was.

    *conversations* are those that were there, *items* those that lived in them, *bytes* what they took in the store;
    *keys*: names in the store that were taken away. Times are those of the store's clock, in Unix seconds.
    """

    id: str
    erased: str
    tenant: str
    subject_sha256: str
    conversations: int
    items: int
    bytes: int
    keys: int
    begun_at: int
    ended_at: int
    deployment: str
    version: str


class Verdict(Enum):
    """What there is to say of a receipt, as a sentence."""

    GENUINE = "The receipt is genuine: it is as it was signed with this secret."
    CHANGED = "The receipt is NOT genuine: it was changed, or signed by somebody without this secret."
    ANOTHER = "The receipt was signed with another secret: set WARMTHREAD_RECEIPT_SECRET to the one of that time."
    UNSIGNED = "The receipt is not signed: nobody can tell whether it is genuine."
    NO_RECEIPT = "This is no receipt of an erasure."


def subject_sha256(name: str) -> str:
    """Return what stands for the *name* of a user or a tenant."""
    return sha256(name.encode(errors="surrogatepass")).hexdigest()


def signed(receipt: Receipt, secret: str) -> dict[str, Any]:
    """Return *receipt* as JSON has it, signed with *secret*; with "" not, which it says."""
    body: dict[str, Any] = {"object": OBJECT, **receipt._asdict()}
    if not secret:
        return {**body, "signature": None, "unsigned": UNSIGNED}
    return {**body, "signature": {"algorithm": ALGORITHM, "key_id": key_id(secret), "value": _mac(body, secret)}}


def verify(document: object, secret: str) -> Verdict:
    """Tell whether *document*, parsed JSON, is a receipt as it was signed with *secret*."""
    if not isinstance(document, dict) or document.get("object") != OBJECT or "signature" not in document:
        return Verdict.NO_RECEIPT
    signature = document["signature"]
    if signature is None:
        return Verdict.UNSIGNED
    if not isinstance(signature, dict) or signature.keys() != {"algorithm", "key_id", "value"}:
        return Verdict.CHANGED
    if signature["key_id"] != key_id(secret):
        return Verdict.ANOTHER
    body = {name: value for name, value in document.items() if name != "signature"}
    value, algorithm = signature["value"], signature["algorithm"]
    is_same = isinstance(value, str) and hmac.compare_digest(_mac(body, secret).encode(), value.encode())
    return Verdict.GENUINE if is_same and algorithm == ALGORITHM else Verdict.CHANGED


def key_id(secret: str) -> str:
    """Return what tells one *secret* from another, and says nothing else of it."""
    return hmac.new(secret.encode(), b"key id", sha256).hexdigest()[:KEY_ID_DIGITS]


def _mac(body: dict[str, Any], secret: str) -> str:
    return hmac.new(secret.encode(), orjson.dumps(body, option=orjson.OPT_SORT_KEYS), sha256).hexdigest()
