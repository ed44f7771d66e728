"""Rights to load that one service holds on its storage."""

from contextlib import suppress
from dataclasses import dataclass

from infrastructure.cache.entries import Entry
from infrastructure.cache.spaces import Space
from infrastructure.errors import InfrastructureError


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
    """Those that are held, so that none outlives the service that closes.

    Args:
        space: The namespace.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._held: dict[str, str] = {}

    def __contains__(self, right: Right) -> bool:
        return right.lease in self._held

    async def ask(self, whole: str, seconds: float) -> str:
        """The storage's token; empty when somebody else has the right.

        Raises:
            InfrastructureError: The storage does not answer.
        """
        lease = await self._space.reach.ask(self._space.provider.lease(whole, seconds))
        if lease:
            self._held[lease] = whole
        return lease

    async def fill(self, right: Right, entry: Entry, seconds: float) -> bool:
        """Store under a right, which ends it; say whether it was still held.

        Raises:
            InfrastructureError: The storage does not answer, or refuses the value.
        """
        provider, stored = self._space.provider, entry.stored()
        filling = provider.fill(right.whole, stored, seconds, right.lease)
        is_kept = await self._space.reach.ask(filling)
        self._held.pop(right.lease, None)
        return is_kept

    async def give_back(self, right: Right) -> None:
        """End a right without storing; harmless when it is not held any more.

        Raises:
            InfrastructureError: The storage does not answer; the right ends with its time.
        """
        if self._held.pop(right.lease, None) is not None:
            await self._space.reach.ask(self._space.provider.release(right.whole, right.lease))

    async def give_all_back(self) -> None:
        """End all: what is being loaded is given to those who wait, and not kept."""
        held, self._held = self._held, {}
        for lease, whole in held.items():
            with suppress(InfrastructureError):  # it ends with its time
                await self._space.reach.ask(self._space.provider.release(whole, lease))
