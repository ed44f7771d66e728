"""Who may fill which key of a cache in this process."""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple


class _Lease(NamedTuple):
    token: str
    expires_at: float


class Leases:
    """At most one for a key, and at most `limit`; the oldest ends when there are too many.

    The caller holds a lock.

    Attributes:
        held: By key, the oldest first.
    """

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self.held: OrderedDict[str, _Lease] = OrderedDict()

    def grant(self, key: str, seconds: float) -> str:
        """A token; empty when somebody else holds the key's."""
        now, held = self._clock(), self.held.get(key)
        if held is not None and held.expires_at > now:
            return ""
        if held is None and len(self.held) >= self._limit:
            self.held.popitem(last=False)  # its holder will find that it cannot fill
        token = secrets.token_hex(8)
        self.held[key] = _Lease(token, now + seconds)
        self.held.move_to_end(key)
        return token

    def give_back(self, key: str, token: str) -> bool:
        """End the lease of that token; say whether it was still good."""
        held = self.held.get(key)
        if held is None or held.token != token:
            return False
        del self.held[key]
        return held.expires_at > self._clock()

    def void(self, key: str) -> None:
        """End the key's lease, whoever holds it."""
        self.held.pop(key, None)

    def clear(self) -> None:
        """End all."""
        self.held.clear()
