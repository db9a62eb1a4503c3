"""What the checks of one run share: who calls, and what was made and has to go."""

import asyncio
import secrets
from contextlib import suppress

from scripts.smoke.caller import Caller
from scripts.smoke.result import Unmet
from shared.errors import Unauthorized
from shared.request.caller import make_key, read_key

STRANGER = "check-deployment"
"""A tenant that no key was made for."""

CLEAN_UP_S = 10.0


class Site:
    """
    One deployment while it is checked; *document*: a path to read, "" for none; *deployment*: which one has to answer.

    `conversation` and `reservation` are the ids of what is there because of the checks, "" where nothing is.
    """

    def __init__(self, caller: Caller, *, document: str = "", deployment: str = "") -> None:
        self.caller = caller
        self.access = caller.access
        self.document = document
        self.deployment = deployment
        self.conversation = ""
        self.reservation = ""
        self.warnings: list[str] = []
        self.eviction = ""

    @property
    def tenant(self) -> str:
        """The tenant whose key is known, else that of a stranger."""
        try:
            return read_key(self.access.key).tenant
        except Unauthorized:
            return STRANGER

    def wrong_key(self) -> str:
        """Return a key of the same tenant that was never made."""
        return make_key(self.tenant)

    def wrong_secret(self) -> str:
        """Return what no operator has set."""
        return secrets.token_urlsafe(24)

    async def clean_up(self) -> None:
        """Take away what is still there; what cannot be reached in time ends by itself within the hour."""
        made = {"/v1/reservations": self.reservation, "/v1/conversations": self.conversation}
        with suppress(TimeoutError):
            async with asyncio.timeout(CLEAN_UP_S):
                for path, id_ in made.items():
                    if id_:
                        with suppress(Unmet):
                            await self.caller.call("DELETE", f"{path}/{id_}", bearer=self.access.key)
