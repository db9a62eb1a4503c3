"""
One root of TLS for what the tests start, in place of all that the machine trusts.

Each HTTP client loads its roots before it knows whom it will call: httpx 50 ms long, the service's nine functions 10 ms
each. Tests make thousands of clients, and call loopback without TLS. Nobody has the key of this root. The clients that
fixtures make share CONTEXT: loading even one root is most of what a client costs.
"""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent / "data" / "root.pem"
NAMES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
CONTEXT = ssl.create_default_context(cafile=ROOT)

_before = {name: os.environ[name] for name in NAMES if name in os.environ}


def trust_one_root() -> None:
    """From now on clients of this process, and of those that it starts, know one root."""
    os.environ.pop("SSL_CERT_DIR", None)
    os.environ["SSL_CERT_FILE"] = str(ROOT)


def environ_of_registries() -> Mapping[str, str]:
    """Return the environment for a process that calls a registry: with the roots that were trusted before."""
    return {name: value for name, value in os.environ.items() if name not in NAMES} | _before
