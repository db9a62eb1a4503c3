"""
What this instance knows of erasures: a count for each tenant, which the store raises whenever something of it is
erased.

    every reply to a tenant's script tells the count under which it ran (admit.lua), or was held to it (authorise.lua)
    the count is another one than before   -> whatever this instance holds of the tenant is forgotten, and what is still
                                              on its way is not kept

So whoever has its key confirmed sees nothing from memory that was erased before. It costs no request: a confirmation
tells the count, and between two of them nobody learns of anything.
"""

from collections.abc import Callable

from shared.process.clock import Clock, Instant

NONE = "0"
"""The count of a tenant of which nothing was ever erased."""

TENANTS_MAX = 10_000
"""How many are known. With the next all is forgotten, which an instance in front of so many tenants does anyway."""

Forget = Callable[[str | None], None]
"""Forgets what is held of a tenant; of all, where it is None."""


class Erasures:
    """The counts that one instance was told, by tenant."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._counts: dict[str, str] = {}
        self._noticed_at: dict[str, Instant] = {}
        self._all_noticed_at: Instant | None = None
        self._forgets: list[Forget] = []

    def listen(self, forget: Forget) -> None:
        """Call *forget* whenever something was erased."""
        self._forgets.append(forget)

    def known(self, tenant: str) -> str:
        """Return the count that is known of *tenant*, that of one without any erasure where none is."""
        return self._counts.get(tenant, NONE)

    def learn(self, tenant: str, count: str) -> None:
        """Take in the count under which a script of *tenant* ran. An older one is another one as well."""
        known = self._counts.get(tenant)
        if known == count:
            return
        if known is None:
            if len(self._counts) >= TENANTS_MAX:
                self._counts.clear()
                self._noticed_at.clear()
                self._all_noticed_at = self._clock.now()
                self._forget(None)
        else:
            self._noticed_at[tenant] = self._clock.now()
            self._forget(tenant)
        self._counts[tenant] = count

    def is_outdated(self, tenant: str, asked_at: Instant) -> bool:
        """Tell whether what was asked for at *asked_at* may be from before an erasure that was noticed since."""
        noticed_at = self._noticed_at.get(tenant, self._all_noticed_at)
        return noticed_at is not None and asked_at.monotonic_s <= noticed_at.monotonic_s

    def _forget(self, tenant: str | None) -> None:
        for forget in self._forgets:
            forget(tenant)
