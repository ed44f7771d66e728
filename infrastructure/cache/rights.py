"""Rights to load: asked for, waited for, and given back, whatever happens."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from infrastructure.cache.counts import Counts
from infrastructure.cache.entries import MISSING, Entry
from infrastructure.cache.keeping import Keeping
from infrastructure.cache.reach import MISTAKES
from infrastructure.cache.spaces import Space
from infrastructure.errors import InfrastructureError, classify
from infrastructure.resilience.clock import Clock

_FIRST_POLL_SECONDS: Final = 0.01
_LAST_POLL_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class Right:
    """What came of asking for the right to load.

    Attributes:
        whole: The whole key.
        lease: The storage's token; empty when there is no right, and nothing is to be kept.
        found: What somebody else has stored meanwhile, which makes loading needless.
        stale: What stood there still when the right was had, for a loader that fails.
    """

    whole: str = ""
    lease: str = ""
    found: Entry | None = None
    stale: Entry | None = None


class Rights:
    """Those that one service holds on its storage, so that none outlives it.

    A storage that does not answer is counted, and is no error: there is no right then.

    Args:
        space: The namespace.
        keeping: Finds its entries.
        counts: Where to count.
        clock: Waits for others' rights to end.
    """

    def __init__(self, space: Space, keeping: Keeping, counts: Counts, clock: Clock) -> None:
        self._space = space
        self._keeping = keeping
        self._counts = counts
        self._clock = clock
        self._held: dict[str, str] = {}

    def __contains__(self, right: Right) -> bool:
        return right.lease in self._held

    async def wait(
        self, key: str, seen: Entry | None, tags: Sequence[str], seconds: float
    ) -> Right:
        """The right; or what its holder has stored; or neither, when it takes too long.

        What was seen before may have been removed since. Only what is still there once the right
        is had, which every later change makes void, may be given or stored again.
        """
        pause, waited = _FIRST_POLL_SECONDS, 0.0
        while True:
            right = await self._asked(key, seconds)
            if right is not None:
                right = await self._looked(key, seen, tags, right)
            if right is None:
                return Right(stale=seen)
            if right.found is not None or right.lease or waited > 2 * seconds:
                return right
            await self._clock.sleep(pause)
            waited += pause
            pause = min(pause * 1.5, _LAST_POLL_SECONDS)

    async def ask_once(self, key: str, seen: Entry, tags: Sequence[str], seconds: float) -> Right:
        """The right, if nobody else has it and what was seen is still there; else none."""
        right = await self._asked(key, seconds)
        if right is not None and right.lease:
            right = await self._looked(key, seen, tags, right)
            if right is not None and right.stale is not None:
                return right
            if right is not None:
                await self.give_back(right)
        return Right()

    async def fill(self, right: Right, entry: Entry, seconds: float) -> bool:
        """Store under a right, which ends it; say whether it was still held.

        Raises:
            InfrastructureError: The storage refuses the value.
        """
        if right not in self:
            return False
        filling = self._space.provider.fill(right.whole, entry.stored(), seconds, right.lease)
        is_up, is_stored = await self.attempt("fill", filling)
        if not is_up:
            await self.give_back(right)  # others would wait for it until its time is over
            return False
        self._held.pop(right.lease, None)
        return bool(is_stored)

    async def give_back(self, right: Right) -> None:
        """End a right without storing; harmless when it is not held any more."""
        if self._held.pop(right.lease, None) is not None:
            releasing = self._space.provider.release(right.whole, right.lease)
            await self.attempt("release", releasing)

    async def give_all_back(self) -> None:
        """End all: what is being loaded is given to those who wait, and not kept."""
        held, self._held = self._held, {}
        release = self._space.provider.release
        releasing = (self._space.reach.ask(release(whole, lease)) for lease, whole in held.items())
        await asyncio.gather(*releasing, return_exceptions=True)  # else they end with their time

    async def attempt(self, operation: str, asked: Awaitable[Any]) -> tuple[bool, Any]:
        """Whether the storage answered, and its answer; counted when it did not."""
        try:
            return True, await self._space.reach.ask(asked)
        except MISTAKES:
            raise
        except InfrastructureError as error:
            self._counts.fallbacks[operation, classify(error)] += 1
            return False, MISSING

    async def _asked(self, key: str, seconds: float) -> Right | None:
        """The right or that of another, without a lease; None when the storage is down."""
        whole = self._space.known(key)
        is_up, lease = await self.attempt("lease", self._space.provider.lease(whole, seconds))
        if not is_up:
            return None
        if lease:
            self._held[lease] = whole
        return Right(whole, lease)

    async def _looked(
        self, key: str, seen: Entry | None, tags: Sequence[str], right: Right
    ) -> Right | None:
        """The right with what stands there now; None when that cannot be known."""
        try:
            is_up, entry = await self.attempt("get", self._keeping.find(key, tags))
        except BaseException:
            await self.give_back(right)
            raise
        now = self._keeping.wall()
        if not is_up:
            await self.give_back(right)
            return None
        if entry is None:
            return right
        is_same = seen is not None and entry.fresh_until <= seen.fresh_until
        if entry.is_fresh(now) and not is_same:
            await self.give_back(right)
            return Right(found=entry)
        return replace(right, stale=entry) if seen is not None and entry.is_kept(now) else right
