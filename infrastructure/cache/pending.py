"""Removals that could not reach the storage, kept until it answers again."""

from collections.abc import Sequence
from typing import Any, Final, Literal

from infrastructure.cache.reach import MISTAKES
from infrastructure.errors import InfrastructureError

#: What becomes of a removal that cannot reach the storage.
OnFailure = Literal["raise", "queue"]

_MOST: Final = 10_000


class Pending:
    """Bounded: what does not fit any more becomes one removal of the whole namespace.

    They are sent before anything else is asked of the namespace in this process; until they are,
    every call of it fails as the sending does. Other processes see the old values until then.

    Args:
        space: The namespace.
        most: Bound on keys that are kept one by one.
    """

    def __init__(self, space: Any, most: int = _MOST) -> None:
        self._space = space
        self._most = most
        self._keys: dict[str, int] = {}
        self._markers: dict[str, int] = {}
        self._clears = 0
        self._kept = 0

    def __len__(self) -> int:
        return len(self._keys) + len(self._markers) + self._clears

    def keep(self, keys: Sequence[str] = (), markers: Sequence[str] = ()) -> None:
        """Keep removals of keys and of whole marker keys."""
        if self._clears:
            self._clears += 1  # one sent meanwhile was sent too early for this
            return
        self._kept += 1
        self._keys.update(dict.fromkeys(keys, self._kept))
        self._markers.update(dict.fromkeys(markers, self._kept))
        if len(self) > self._most:
            self.keep_clear()

    def keep_clear(self) -> None:
        """Keep a removal of the whole namespace, which stands for every other."""
        self._keys.clear()
        self._markers.clear()
        self._clears += 1

    async def postpone(
        self,
        error: InfrastructureError,
        on_failure: OnFailure,
        *,
        keys: Sequence[str] = (),
        markers: Sequence[str] = (),
    ) -> None:
        """Keep a removal that could not be made, of the whole namespace when nothing is named.

        Raises:
            InfrastructureError: It is not to be kept, or was a mistake of the caller.
        """
        if on_failure != "queue" or isinstance(error, MISTAKES):
            raise error
        if not self._space.provider.is_shared:
            await self._space.clear()  # in this process that asks no storage, and can be made now
        elif keys or markers:
            self.keep(keys, markers)
        else:
            self.keep_clear()

    async def send(self) -> None:
        """Send what waits; what is added meanwhile waits on.

        Raises:
            InfrastructureError: The storage does not answer; everything waits on.
        """
        if clears := self._clears:
            await self._space.clear()
            self._clears -= min(clears, self._clears)
        if self._markers:
            markers = dict(self._markers)
            await self._space.remove_markers(list(markers))
            self._drop(self._markers, markers)
        if self._keys:
            keys = dict(self._keys)
            await self._space.remove_now(list(keys))
            self._drop(self._keys, keys)

    @staticmethod
    def _drop(kept: dict[str, int], sent: dict[str, int]) -> None:
        """Drop what was sent, and not what was kept again since: that was sent too early."""
        for each, number in sent.items():
            if kept.get(each) == number:
                del kept[each]
