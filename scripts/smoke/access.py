"""
What whoever checks a deployment knows of it: its address, a tenant's key, the secrets of operators.

Secrets come from the environment, under the names that the deployment has them by, and are never shown.
"""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from shared.setting import NO_SECRET, VISIBLE, Secret

LOOPBACK = ("127.0.0.1", "localhost", "::1")
KEY = "WARMTHREAD_KEY"
BYPASS = "VERCEL_AUTOMATION_BYPASS_SECRET"


class WrongUse(ValueError):
    """An address or a value that cannot be used; the text says why."""


class Access(NamedTuple):
    """A tenant's *key* and the secrets, each "" where it is not known. *bypass*: of the platform's protection."""

    key: Secret = NO_SECRET
    metrics: Secret = NO_SECRET
    cron: Secret = NO_SECRET
    changes: Secret = NO_SECRET
    bypass: Secret = NO_SECRET

    def hide(self, text: str) -> str:
        """Return *text* without any of the secrets."""
        for each in sorted(filter(None, self), key=len, reverse=True):
            text = text.replace(each, "***")
        return text


VARIABLES = {
    "key": KEY,
    "metrics": "WARMTHREAD_METRICS_SECRET",
    "cron": "CRON_SECRET",
    "changes": "WARMTHREAD_CHANGES_SECRET",
    "bypass": BYPASS,
}
"""Field of Access -> the variable that it is read from."""


def read_access(environ: Mapping[str, str], *, with_bypass: bool) -> Access:
    """
    Return what *environ* knows; the bypass only if it is asked for, since it is sent with every call.

    Raises:   WrongUse: a value that no header can carry, or no bypass though there has to be one.
    """
    values = {field: Secret(environ.get(variable, "")) for field, variable in VARIABLES.items()}
    for field, value in values.items():
        if value and not VISIBLE.fullmatch(value):
            raise WrongUse(f"{VARIABLES[field]} must have visible ASCII characters only; copy it again")
    if not with_bypass:
        values["bypass"] = NO_SECRET
    elif not values["bypass"]:
        raise WrongUse(f"--bypass sends {BYPASS}, which is not set: copy it from the project's Deployment Protection")
    return Access(**values)


def read_url(url: str) -> str:
    """Return the origin that *url* names, with https:// where it has no scheme. Raises WrongUse."""
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise WrongUse(f"{url}: is no address") from None
    if not host or parts.username is not None or parts.scheme not in ("https", "http"):
        raise WrongUse(f"{url}: must be an address as https://memory.example.com, without a user")
    if parts.scheme == "http" and host not in LOOPBACK:
        raise WrongUse(f"{url}: keys and secrets are sent over https only")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise WrongUse(f"{url}: must be the deployment's address alone, without a path")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else "")
