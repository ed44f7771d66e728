"""Names under which entries are removed together, without looking for them.

Each tag has a marker that holds a random version. An entry notes the versions that stood before
its value began to be loaded; to remove a tag is to remove its marker. An entry whose versions are
not those of the markers, or lack one, is a miss: also one that was being loaded meanwhile.
"""

import secrets
import time
from collections.abc import Sequence
from typing import Any, Final

from infrastructure.cache.entries import MISSING, Versions
from infrastructure.cache.spaces import Space

#: Stands for all tags: its version changes with every removal of any tag of the namespace.
ANY: Final = ""
_DAY: Final = 86400.0
#: A marker that ends costs the entries under it, and no more.
_LIFETIME: Final = 30 * _DAY
_REMEMBERED: Final = 10_000


class Tags:
    """The tags of one namespace.

    Args:
        space: The namespace.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._renewed: dict[str, float] = {}

    async def versions(self, tags: Sequence[str], kept_seconds: float = 0.0) -> Versions:
        """The version of each tag now; one without a marker gets one.

        Args:
            tags: The tags.
            kept_seconds: How long the entries will be kept that note them.
        """
        if not tags:
            return ()
        markers = [self._space.tag_marker(tag) for tag in tags]
        found = await self._space.read((), markers)
        lifetime = max(_LIFETIME, kept_seconds + 2 * _DAY)
        return tuple(
            [
                (tag, await self._version(marker, value, lifetime))
                for tag, marker, value in zip(tags, markers, found, strict=True)
            ]
        )

    def markers(self, tags: Sequence[str]) -> list[str]:
        """What to remove to remove these tags, in this order.

        `ANY` goes first: a storage may remove one after the other, and who sees it unchanged
        must have seen the others so too.
        """
        return [self._space.tag_marker(tag) for tag in (ANY, *tags)]

    async def _version(self, marker: str, found: Any, lifetime: float) -> str:
        if type(found) is str:
            await self._renew(marker, lifetime)
            return found
        space, version = self._space, secrets.token_hex(8)
        if found is not MISSING:
            await space.remove_markers([marker])  # not of our making
        if await space.reach.ask(space.provider.add(marker, version, lifetime)):
            return version
        theirs = await space.reach.ask(space.provider.get(marker))
        return theirs if type(theirs) is str else version

    async def _renew(self, marker: str, lifetime: float) -> None:
        """Let a marker outlive the entries under it; once a day is enough."""
        now = time.monotonic()
        if now - self._renewed.get(marker, -_DAY) < _DAY:
            return
        if len(self._renewed) >= _REMEMBERED:
            self._renewed.clear()
        self._renewed[marker] = now
        await self._space.reach.ask(self._space.provider.expire(marker, lifetime))
