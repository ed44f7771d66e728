"""Removals that could not reach the storage, kept until it answers again."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Literal

from infrastructure.cache.reach import MISTAKES
from infrastructure.errors import InfrastructureError

#: What becomes of a removal that cannot reach the storage.
OnFailure = Literal["raise", "queue"]

Remove = Callable[[Sequence[str]], Awaitable[object]]

_MOST: Final = 10_000
#: So few that a server removes them within the bound on a call.
_AT_ONCE: Final = 500


class Pending:
    """Bounded: what does not fit any more becomes one removal of the whole namespace.

    They are sent before anything else is asked of the namespace in this process; until they are,
    every call of it fails as the sending does. Other processes see the old values until then.

    Args:
        space: The namespace.
        most: Bound on keys that are kept one by one.

    Attributes:
        waits: Whether anything is kept; an attribute, for each read looks at it.
    """

    def __init__(self, space: Any, most: int = _MOST) -> None:
        self._space = space
        self._most = most
        self._keys: dict[str, int] = {}
        self._markers: dict[str, int] = {}
        self._clears = 0
        self._kept = 0
        self.waits = False

    def __len__(self) -> int:
        return len(self._keys) + len(self._markers) + self._clears

    def keep(self, keys: Sequence[str] = (), markers: Sequence[str] = ()) -> None:
        """Keep removals of keys and of whole marker keys."""
        if self._clears:
            self._clears += 1  # one sent meanwhile was sent too early for this
            return
        self._kept += 1
        self.waits = True
        self._keys.update(dict.fromkeys(keys, self._kept))
        self._markers.update(dict.fromkeys(markers, self._kept))
        if len(self) > self._most:
            self.keep_clear()

    def keep_clear(self) -> None:
        """Keep a removal of the whole namespace, which stands for every other."""
        self._keys.clear()
        self._markers.clear()
        self._clears += 1
        self.waits = True

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
        await self._send_all(self._markers, self._space.remove_markers)
        await self._send_all(self._keys, self._space.remove_now)
        self.waits = len(self) > 0

    @staticmethod
    async def _send_all(kept: dict[str, int], remove: Remove) -> None:
        """Send and drop in parts, and not what was kept again since: that was sent too early."""
        waiting = list(kept.items())
        for start in range(0, len(waiting), _AT_ONCE):
            part = waiting[start : start + _AT_ONCE]
            await remove([name for name, _ in part])
            for name, number in part:
                if kept.get(name) == number:
                    del kept[name]
