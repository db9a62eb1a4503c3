"""
Signature Version 4 for one kind of request: a POST of JSON to the root of a service, as Systems Manager takes it.

The signer of AWS's own library comes with 20 MB and 100 ms of import, for one request of a cold start; the tests hold
this one against it. Source: AWS General Reference, "Create a signed AWS API request".
"""

import hashlib
import hmac
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
CONTENT_TYPE = "application/x-amz-json-1.1"


class Credentials(NamedTuple):
    """Of a role or a user; *token*: "" for a user's."""

    key_id: str
    secret: str
    token: str

    def __repr__(self) -> str:
        return f"Credentials({self.key_id})"


def signed_headers(
    credentials: Credentials, region: str, service: str, url: str, target: str, body: bytes, now: datetime
) -> dict[str, str]:
    """Return the headers, but for the host's, of a POST of *body* to *url*, whose path is /. *now* is in UTC."""
    time, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    headers = {
        "content-type": CONTENT_TYPE,
        "host": urlsplit(url).netloc,
        "x-amz-date": time,
        "x-amz-target": target,
    }
    if credentials.token:
        headers["x-amz-security-token"] = credentials.token
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{day}/{region}/{service}/aws4_request"
    text = f"{ALGORITHM}\n{time}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret}".encode()
    for part in scope.split("/"):
        key = _mac(key, part)
    signature = _mac(key, text).hex()
    del headers["host"]  # The client writes it.
    credential = f"{credentials.key_id}/{scope}"
    headers["authorization"] = f"{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return headers


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
