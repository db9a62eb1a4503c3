"""
Attempts: how a request that changes something is known when it comes twice, and is done once.

    headers, body -> Attempt (seed, fingerprint) -> the operation's script -> Written

The script decides, in the same step in which it would store. It knows an attempt again by

    its seed              the store's own client sends again what lost its answer
    its Idempotency-Key   for Settings.idempotency_s, within the tenant; the same request only
    its fingerprint       an append that an OpenAI client says it repeats, while it is still the conversation's newest
                          entry and no older than 120 s

and replies with the seed of the attempt that did it. Ids are made from the seed, so the same body gives the same
items again: what is kept is hashes and a version, never an answer. A request that was refused leaves no trace.
"""

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import NamedTuple

from shared.errors import Malformed
from shared.process.pool import Pool
from shared.store.keys import attempt_key
from shared.store.spending import Spender

KEY_CHARS_MAX = 255
KEY = re.compile(rf'"((?:[!#-\[\]-~]|\\["\\]){{1,{KEY_CHARS_MAX}}})"|([!#-~][!-~]{{0,{KEY_CHARS_MAX - 1}}})')
"""Visible ASCII, as a quoted string (RFC 8941) or bare, as most clients send it."""

ENTITY_TAG = re.compile(r'\s*(?:W/)?"([!#-~]*)"\s*(?:,|$)')
VERSION = re.compile(r"(?:[0-9a-f]+\.)?((?:0|[1-9][0-9]{0,8})(?:\.[0-9a-f]+)?)(?:\.[0-9a-f]+)?")
"""What a tag of ours says of version and chain hash: those of conversations and of contexts do, and a version alone."""

HASHED_ON_LOOP_BYTES = 256 * 1024
"""Hashing lets go of the interpreter; above this, at about 1 ms, it also goes to a thread."""

NO_CHAIN = "0"
"""What a tag says of the chain hash of a conversation to which nothing was ever written."""


class Attempt(NamedTuple):
    """
    One request to change something.

    *key*: its Idempotency-Key, "" without one. *expected*: the versions it expects, as the scripts take them.
    *is_client_retry*: its sender says that it was sent before. *body_bytes*: how large it is.
    """

    seed: str
    fingerprint: str
    key: str
    expected: str
    is_client_retry: bool
    body_bytes: int = 0

    @property
    def has_key(self) -> bool:
        return self.key != ""

    def ids(self) -> "Ids":
        """Return where the ids of what this attempt creates come from."""
        return Ids(self.seed)

    def record_keys(self, tenant: str) -> list[str]:
        """Return the names in the store that a script needs for this attempt: that of its record, if it has a key."""
        return [attempt_key(tenant, sha256(self.key.encode()).hexdigest())] if self.has_key else []

    def arguments(self, record_s: int) -> list[str | int]:
        """Return what every script that changes something takes behind the key's hash."""
        return [self.seed, self.fingerprint, record_s, self.expected]


class Besides(NamedTuple):
    """
    What a script does in the same step besides its own work: names and arguments behind its own, and behind all of them
    those of *spender*, for whom it does it.
    """

    keys: list[str]
    arguments: list[str | int]
    spender: Spender | None = None


class Ids:
    """
    Makes ids from a seed: the same ids in the same order each time.

    Nobody can guess them: a seed is 192 random bits and never leaves the store.
    """

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._count = 0

    @property
    def mark(self) -> str:
        """What is common to all that is made from this seed, and to nothing else in reach."""
        return sha256(f"{self._seed} mark".encode()).hexdigest()[:10]

    def __call__(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}_{sha256(f'{self._seed} {self._count}'.encode()).hexdigest()[:48]}"


class Written[T](NamedTuple):
    """What came of a write. *etag*: the state after it; *is_replay*: it was done before, now nothing was."""

    answer: T
    etag: str
    is_replay: bool


def etag(generation: str, version: str | int, chain: str, used_at_unix_s: int | None = None) -> str:
    """
    Return the entity tag of a conversation: its physical history, its version, and the hash of all it says; of an
    answer that says when it was last used, that as well, because reading alone may move it.
    """
    used = "" if used_at_unix_s is None else f".{used_at_unix_s:x}"
    return f'"{generation}.{version}.{chain or NO_CHAIN}{used}"'


async def send_as_first(attempt: Attempt, send: Callable[[Attempt], Awaitable[list[str]]]) -> list[str]:
    """
    Return what a script replies that makes something with an id of its own, sent by *send*.

    What another attempt with the same Idempotency-Key made, or began to make, has another id: only under the seed of
    that attempt, which the script then tells, can it be found.
    """
    reply = await send(attempt)
    return await send(attempt._replace(seed=reply[1])) if reply[0] == "again" else reply


async def read_attempt(method: str, path: str, headers: Mapping[str, str], body: bytes, pool: Pool) -> Attempt:
    """Return what a request is known by. Raises Malformed: a header cannot be read."""
    key, expected = _read_key(headers.get("idempotency-key")), _read_expected(headers.get("if-match"))
    retry_count = headers.get("x-stainless-retry-count", "0")
    is_client_retry = retry_count.isascii() and retry_count.isdigit() and retry_count.strip("0") != ""
    fingerprint = await pool.run_when(len(body) > HASHED_ON_LOOP_BYTES, _fingerprint, method, path, body)
    return Attempt(secrets.token_hex(24), fingerprint, key, expected, is_client_retry and not key, len(body))


def _fingerprint(method: str, path: str, body: bytes) -> str:
    digest = sha256(f"{method} {path}\n".encode())
    digest.update(body)
    return digest.hexdigest()


def _read_key(header: str | None) -> str:
    if header is None:
        return ""
    match = KEY.fullmatch(header)
    if match is None:
        raise Malformed(
            f"Idempotency-Key must be 1 to {KEY_CHARS_MAX} visible ASCII characters.",
            param="Idempotency-Key",
        )
    quoted, bare = match.groups()
    return str(bare) if quoted is None else re.sub(r"\\(.)", r"\1", quoted)


def _read_expected(header: str | None) -> str:
    """Return the versions that an If-Match *header* names: '' for no condition, '*' for any, else ' 12.<chain> 15 '."""
    if header is None or header.strip() == "*":
        return "" if header is None else "*"
    versions, at = [""], 0
    while at < len(header):
        match = ENTITY_TAG.match(header, at)
        if match is None:
            break
        at = match.end()
        # A tag that is none of ours names a state that no conversation has.
        if version := VERSION.fullmatch(match[1]):
            versions.append(version[1])
    if at < len(header) or at == 0:
        raise Malformed("If-Match must be * or a list of entity tags.", param="If-Match")
    return " ".join([*versions, ""])
