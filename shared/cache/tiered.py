"""
L1 -> single flight -> L2 -> lease -> source, for values that others change.

L2 keeps a *mark* beside each value: fence, when the source was last asked, and the entity tag that it named then. A
mark costs a few bytes and travels with requests that are made anyway, so every instance knows with each of them what
its copy is worth:

    tag of the mark = tag of the copy, asked less than fresh_s ago     the copy is the answer
    the same, and most of fresh_s is over                              the answer, and the source is asked afterwards
    anything else                                                      L2, and then the source

The fence grows with each lease and each notice. Whoever brings a value from the source may store it only under the
fence of its own lease, so that a notice, or a lease that went to another because its holder was slow, wins over a load
that began before. Loads share a flight by the mark they were begun with: a caller that saw a notice never joins a load
from before it.

When L2 is away the source is asked without a lease. No notice reaches the instance then, so what the source was asked
before a caller came is stale for that caller. When the source is away a copy is the answer for stale_s, marked stale,
but never one that a notice has declared outdated; so it is when another instance has asked for OTHERS_S and has no
answer yet.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import NamedTuple, Protocol

from shared.cache.l1 import L1, Sized
from shared.errors import SourceUnavailable, StoreUnavailable

ABSENT = "-"
"""The tag of what does not exist."""

UNKNOWN = ""
"""The tag after a notice, and before the first load."""

POLL_S = (0.02, 0.06)
"""Between two looks for what another instance is loading; it grows to its tenfold."""

POLL_GROWTH, POLL_GROWTH_MAX = 1.5, 10.0
OTHERS_S = 0.5
"""Who has a copy waits no longer for what another instance is loading. While a source is silent each instance in turn
takes the lease and waits in vain: without this bound the last would wait for all of them."""

AHEAD_SHARE = (0.6, 0.95)
"""Of fresh_s, from where on the source is asked ahead of time; drawn by lot, so that copies do not expire together."""

ATTEMPTS_MAX = 64

ALONE_S, LINGERING_MAX = 1.0, 64
"""Without L2 an instance keeps nothing, but neither does it ask the source for each of its callers."""


class Mark(NamedTuple):
    """What is known of a value in all instances; see above. *checked_at_unix_s* is 0 when it never was."""

    fence: int
    checked_at_unix_s: int
    etag: str


class Origin(Enum):
    """What answered."""

    L1 = "L1"
    L2 = "L2"
    SOURCE = "source"
    STALE = "stale"


class Tagged(Sized, Protocol):
    """A value that knows its entity tag."""

    @property
    def etag(self) -> str: ...


class Found[V](NamedTuple):
    """
    *value*: None when there is none. *is_due*: the source should be asked again, after the answer. *asked_at_s*: of
    what came past L2, when the source was asked, by time.monotonic.
    """

    value: V | None
    origin: Origin
    age_s: float
    mark: Mark | None
    is_due: bool = False
    asked_at_s: float | None = None

    @property
    def is_stale(self) -> bool:
        return self.origin is Origin.STALE


class Grant(NamedTuple):
    """A lease: the right to load, and to store under *fence*."""

    fence: int
    owner: str


class Refusal(Enum):
    """Why there is no lease: another holds it; the mark is another one by now; L2 takes no further names."""

    BUSY = "busy"
    MOVED = "moved"
    FULL = "full"


class Unmodified(NamedTuple):
    """The source has what is held."""


class L2[K, V](Protocol):
    """The tier that all instances share. Every method raises StoreUnavailable."""

    async def read(self, key: K, held_etag: str) -> tuple[Mark | None, V | None]:
        """Return the mark and the value; no value if its tag is *held_etag*, or there is none."""

    async def begin(self, key: K, seen: Mark | None) -> Grant | Refusal:
        """Take the lease of *key*, if its mark still is *seen*."""

    async def store(self, key: K, grant: Grant, value: V | None, checked_at_unix_s: int) -> bool:
        """Keep *value* (None: absent), give the lease back; False: the fence is another's, and nothing was kept."""

    async def renew(self, key: K, grant: Grant, value: V, checked_at_unix_s: int) -> bool:
        """Note that the source still has *value*; else as `store`."""

    async def release(self, key: K, grant: Grant) -> None:
        """Give the lease back without a result."""


class LoadError(Exception):
    """The source is away."""


class Limits(NamedTuple):
    """For how long a copy is an answer; *missing_s* is that for what does not exist."""

    fresh_s: float
    missing_s: float
    stale_s: float


class TieredCache[K: tuple[str, ...], V: Tagged]:
    """
    The tiers of one kind of value.

    *shared* counts since the start who shared a load of another, *waits* who waited for that of another instance.
    *load* brings the value of a key from the source, Unmodified if it has the tag named, None if there is none; it
    raises LoadError.
    """

    def __init__(
        self,
        l1: L1[V],
        l2: L2[K, V],
        load: "Load[K, V]",
        limits: Limits,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._l1 = l1
        self._l2 = l2
        self._load = load
        self._limits = limits
        self._clock = clock
        self._under_way: dict[tuple[object, ...], asyncio.Task[Found[V]]] = {}
        self.shared = self.waits = 0

    def held(self, key: K, mark: Mark | None) -> Found[V] | None:
        """Return the copy of this instance if *mark*, which the store has just sent, says that it is the answer."""
        if mark is None:
            return None
        age_s = self._age_s(mark)
        if mark.etag == ABSENT:
            return Found(None, Origin.L1, age_s, mark) if age_s < self._limits.missing_s else None
        value = self._l1.get(key)
        if value is None or value.etag != mark.etag or age_s >= self._limits.fresh_s:
            return None
        return Found(value, Origin.L1, age_s, mark, self._is_due(age_s))

    def held_etag(self, key: K) -> str:
        value = self._l1.get(key)
        return value.etag if value else UNKNOWN

    async def get(self, key: K, mark: Mark | None) -> Found[V]:
        """Return the value of *key*, whose mark the store has just sent. Raises SourceUnavailable."""
        return self.held(key, mark) or await self._share(key, mark, lambda: self._through_l2(key, mark))

    async def get_without_l2(self, key: K) -> Found[V]:
        """
        Return the value of *key* while L2 is away, at most ALONE_S after the source was asked.

        Raises SourceUnavailable.
        """
        return await self._share(key, None, lambda: self._past_l2(key), linger_s=ALONE_S)

    async def refresh(self, key: K, mark: Mark) -> None:
        """Ask the source ahead of time; who comes meanwhile is answered from the copy."""
        await self._share(key, mark, lambda: self._ahead(key, mark))

    def learn(self, key: K, mark: Mark | None, value: V | None) -> Found[V] | None:
        """Take what L2 sent; return it if it is the answer."""
        if value is not None:
            self._l1.put(key, value)
        found = self.held(key, mark)
        if found is not None and value is not None:
            return found._replace(origin=Origin.L2)
        if found is None and mark is not None and value is not None and value.etag == mark.etag:
            # Larger than L1 takes.
            age_s = self._age_s(mark)
            if age_s < self._limits.fresh_s:
                return Found(value, Origin.L2, age_s, mark, self._is_due(age_s))
        return found

    async def _share(
        self, key: K, mark: Mark | None, work: "Callable[[], Awaitable[Found[V]]]", *, linger_s: float = 0.0
    ) -> Found[V]:
        """
        Share one load among all who came with the same mark, also while it is under way, or up to *linger_s* after it
        brought a value. Past L2 that is stale for who came later; what did not exist is looked for again, and so is
        everything where L2 is there and takes no more names: who came may have been told of a change.
        """
        came_at_s, name = time.monotonic(), (*key, mark, linger_s)
        while True:
            task = self._under_way.get(name)
            if task is None:
                task = self._under_way[name] = asyncio.ensure_future(work())
                task.add_done_callback(lambda done: self._land(name, done, linger_s))
            else:
                self.shared += 1
            found = await asyncio.shield(task)
            if found.asked_at_s is None or found.asked_at_s >= came_at_s:
                return found
            if found.value is not None and linger_s:
                return found._replace(origin=Origin.STALE, age_s=time.monotonic() - found.asked_at_s)

    def _land(self, name: tuple[object, ...], task: asyncio.Task[Found[V]], linger_s: float) -> None:
        # The error is looked at also because its callers may all have gone.
        has_value = not task.cancelled() and task.exception() is None and task.result().value is not None
        if linger_s and has_value and len(self._under_way) <= LINGERING_MAX:
            asyncio.get_running_loop().call_later(linger_s, self._under_way.pop, name, None)
        else:
            del self._under_way[name]

    async def _through_l2(self, key: K, mark: Mark | None) -> Found[V]:
        pause_s = random.uniform(*POLL_S)  # noqa: S311  # jitter is no secret.
        pause_max_s = pause_s * POLL_GROWTH_MAX
        waited_s = 0.0
        for _ in range(ATTEMPTS_MAX):
            try:
                mark, value = await self._l2.read(key, self.held_etag(key))
                if found := self.learn(key, mark, value):
                    return found
                grant = await self._l2.begin(key, mark)
            except StoreUnavailable:
                return await self._past_l2(key)
            if isinstance(grant, Grant):
                return await self._from_source(key, mark, grant, value)
            if grant is Refusal.FULL:
                return await self._past_l2(key)
            if grant is Refusal.BUSY:
                if waited_s > OTHERS_S and (old := self._old(value or self._l1.get(key), mark)):
                    return old
                self.waits += not waited_s
                waited_s += pause_s
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * POLL_GROWTH, pause_max_s)
        raise SourceUnavailable("The document is changing faster than it can be read.", retry_after_s=1)

    async def _from_source(self, key: K, mark: Mark | None, grant: Grant, value: V | None) -> Found[V]:
        known = value or self._l1.get(key)
        checked_at_unix_s = int(self._clock())
        try:
            loaded = await self._load(key, known.etag if known else UNKNOWN)
        except LoadError:
            await _quietly(self._l2.release(key, grant))
            return self._stale(known, mark)
        except asyncio.CancelledError:
            await _quietly(self._l2.release(key, grant))
            raise
        found: V | None
        if isinstance(loaded, Unmodified):
            assert known is not None
            found, kept = known, self._l2.renew(key, grant, known, checked_at_unix_s)
        else:
            found, kept = loaded, self._l2.store(key, grant, loaded, checked_at_unix_s)
        is_kept = await _quietly(kept)
        etag = found.etag if found else ABSENT
        if is_kept and found is not None:
            self._l1.put(key, found)
        return Found(found, Origin.SOURCE, 0.0, Mark(grant.fence, checked_at_unix_s, etag))

    async def _ahead(self, key: K, mark: Mark) -> Found[V]:
        """Refresh, unless another does; the copy is good for a while either way."""
        known = self._l1.get(key)
        grant = await self._l2.begin(key, mark)
        if isinstance(grant, Grant):
            return await self._from_source(key, mark, grant, known)
        return Found(known, Origin.L1, self._age_s(mark), mark)

    async def _past_l2(self, key: K) -> Found[V]:
        """Ask the source without a lease, and keep nothing: nobody could say when it is outdated."""
        known, asked_at_s = self._l1.get(key), time.monotonic()
        try:
            loaded = await self._load(key, known.etag if known else UNKNOWN)
        except LoadError:
            return self._stale(known, None)
        value = known if isinstance(loaded, Unmodified) else loaded
        return Found(value, Origin.SOURCE, 0.0, None, asked_at_s=asked_at_s)

    def _stale(self, known: V | None, mark: Mark | None) -> Found[V]:
        old = self._old(known, mark)
        if old is None:
            raise SourceUnavailable(
                "The object store did not answer as it should, and no copy will do.", retry_after_s=1
            )
        return old

    def _old(self, known: V | None, mark: Mark | None) -> Found[V] | None:
        """Return a copy that is past its time as the answer, None if it must not be."""
        # Without a mark nothing says that the copy is outdated, or how old it is: better than no answer.
        is_outdated = mark is not None and (mark.etag == UNKNOWN or (known is not None and mark.etag != known.etag))
        age_s = self._age_s(mark) if mark else 0.0
        if known is None or is_outdated or age_s >= self._limits.stale_s:
            return None
        return Found(known, Origin.STALE, age_s, mark)

    def _age_s(self, mark: Mark) -> float:
        return max(0.0, self._clock() - mark.checked_at_unix_s)

    def _is_due(self, age_s: float) -> bool:
        return age_s >= self._limits.fresh_s * random.uniform(*AHEAD_SHARE)  # noqa: S311  # jitter is no secret.


class Load[K, V](Protocol):
    """How a value comes from the source."""

    async def __call__(self, key: K, held_etag: str) -> V | Unmodified | None: ...


async def _quietly(work: Awaitable[object]) -> bool:
    """Return what *work* says, False when L2 is away: the value is at hand, and a lease ends by itself."""
    try:
        return bool(await work)
    except StoreUnavailable:
        return False
