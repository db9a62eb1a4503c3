"""
Bearer secrets of machines: the object store that reports changes, the platform that calls crons.
"""

import hmac

from shared.errors import Unauthorized
from shared.setting import Secret


def check_bearer(header: str | None, secret: Secret, variable: str) -> None:
    """
    Raise Unauthorized unless *header* is `Bearer <secret>`. A secret that is not set closes the door, and whoever
    knocks is told the *variable* that opens it.
    """
    if not secret:
        raise Unauthorized(f"This route is closed; setting {variable} on the deployment opens it.", code="route_closed")
    scheme, _, given = (header or "").partition(" ")
    is_right = hmac.compare_digest(given.strip().encode(errors="surrogateescape"), secret.encode())
    if scheme.lower() != "bearer" or not is_right:
        raise Unauthorized(
            "The Authorization header must be 'Bearer ' and the secret of this route.", code="invalid_secret"
        )
