"""
Which deployment answers a request, as a rolling release has it.

    forced      ?vcrrForceCanary=true, ?vcrrForceStable=true, or the header x-fleet-deployment: what a deployment's own
                address is on the platform
    by cookie   who has the cookie of this roll stays where it leads; it is set with each answer
    by share    who has none: anew for each request, or for good by client (x-fleet-client, else the address)

The stable deployment is the one that had all requests last; the canary is the newest other one.
"""

import hashlib
import random
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple
from urllib.parse import parse_qs

from scripts.platform.settings import Deployment

COOKIE = "_vcrr_fleet"
FORCE_CANARY, FORCE_STABLE = "vcrrForceCanary", "vcrrForceStable"
DEPLOYMENT_HEADER, CLIENT_HEADER = b"x-fleet-deployment", b"x-fleet-client"


class UnknownDeployment(ValueError):
    """A request names a deployment that is not there; the text says which."""


class Choice(NamedTuple):
    """*cookie* is the value to set, empty while nothing rolls."""

    deployment: Deployment
    cookie: str


class Rollout:
    """The deployments that get requests, and their shares, which sum to 1."""

    def __init__(self, first: Deployment, bucketing: str, seed: object) -> None:
        self.shares: dict[str, float] = {first.name: 1.0}
        self.deployments: dict[str, Deployment] = {first.name: first}
        self._stable = first.name
        self._canary = ""
        self._by_client = bucketing == "client"
        self._dice = random.Random(f"{seed} rollout")  # noqa: S311  # no secret.

    def add(self, deployment: Deployment) -> None:
        """Have *deployment* answer who names it, and nobody else, until it is given a share."""
        self.deployments.setdefault(deployment.name, deployment)

    def give(self, deployment: Deployment, share: float) -> list[str]:
        """
        Give *deployment* this share, the others the rest in proportion, and return who gets nothing any more.

        Raises ValueError: there is no such share, or nobody else to take the rest.
        """
        rest = sum(share_ for name, share_ in self.shares.items() if name != deployment.name)
        if not 0 <= share <= 1 or (share < 1 and not rest):
            raise ValueError(f"a share of {share:g} of the requests leaves nobody to answer the others")
        before = set(self.shares)
        # Divided first: the smallest of numbers, times a half, would be nothing.
        scaled = {name: old / rest * (1 - share) for name, old in self.shares.items() if name != deployment.name}
        self.deployments[deployment.name] = deployment
        self.shares = {name: each for name, each in (scaled | {deployment.name: share}).items() if each > 0}
        if deployment.name != self._stable:
            self._canary = deployment.name
        if len(self.shares) == 1:
            [self._stable] = self.shares
            self._canary = ""
        over = (before | {deployment.name}) - set(self.shares)
        for name in over:
            del self.deployments[name]
        return sorted(over)

    def choose(self, headers: Mapping[bytes, bytes], query: str, client: str) -> Choice:
        """Return who answers. Raises UnknownDeployment."""
        if (named := headers.get(DEPLOYMENT_HEADER)) is not None:
            name = named.decode(errors="replace")
            if name not in self.deployments:
                raise UnknownDeployment(f"there is no deployment {name}")
            return Choice(self.deployments[name], "")
        if len(self.shares) == 1:
            return Choice(self.deployments[self._stable], "")
        name = self._forced(query) or self._remembered(headers) or self._drawn(headers, client)
        return Choice(self.deployments[name], name)

    def _forced(self, query: str) -> str:
        if "vcrrForce" not in query:
            return ""
        asked = parse_qs(query)
        if asked.get(FORCE_CANARY) == ["true"]:
            return self._canary
        return self._stable if asked.get(FORCE_STABLE) == ["true"] else ""

    def _remembered(self, headers: Mapping[bytes, bytes]) -> str:
        try:
            cookie = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1")).get(COOKIE)
        except CookieError:
            return ""
        return cookie.value if cookie is not None and cookie.value in self.shares else ""

    def _drawn(self, headers: Mapping[bytes, bytes], client: str) -> str:
        at = self._dice.random()
        if self._by_client:
            named = headers.get(CLIENT_HEADER, client.encode())
            at = int.from_bytes(hashlib.sha256(named).digest()[:8]) / 2**64
        # The canary first: who is on it stays there while its share grows.
        for name, share in sorted(self.shares.items(), key=lambda pair: pair[0] != self._canary):
            if at < share:
                return name
            at -= share
        return self._stable
