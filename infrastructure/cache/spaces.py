"""One namespace on one storage: whole keys, in a generation that can be left all at once.

A whole key is `<namespace>:<generation>:<key>`. To clear a namespace is to begin a generation:
what stands in the old one is found by nobody, and ends with its lifetime. In a storage that other
processes see, the generation is a random token under a marker key; a read takes the marker and
its values in one go, so that it never gives what was cleared before. A marker that is not there,
for whatever reason, means a new generation: a miss, never an old value.
"""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from infrastructure.cache.base import BaseCacheProvider, SyncAccess
from infrastructure.cache.entries import MISSING
from infrastructure.cache.keys import MAX_KEY_CHARS, MAX_TTL_SECONDS, checked_key, checked_keys
from infrastructure.cache.pending import Pending
from infrastructure.cache.snapshots import Snapshot
from infrastructure.errors import InfrastructureError
from infrastructure.resilience import SingleFlight

#: Ten years: a marker that ends costs the values of its namespace, and nothing else.
MARKER_SECONDS: Final = MAX_TTL_SECONDS / 10
_TRIES: Final = 3


class Space(ABC):
    """A namespace of a provider; one object for every service that uses it in this process.

    Attributes:
        provider: Where the values are.
        prefix: What stands before each key, as last seen; empty when not seen yet.
        reach: Whether the storage answers, as the provider knows.
        pending: Removals that could not be sent.
        flights: The load that a new caller of a key may join.
        refreshing: Keys that are being loaded anew behind hits.
        get_now: Reads a whole key without waiting, where that is instant.
        set_now: Writes one.
    """

    def __init__(self, provider: BaseCacheProvider, namespace: str) -> None:
        self.provider = provider
        self.namespace = namespace
        self.prefix = ""
        self.reach = provider.reach
        self.pending = Pending(self)
        self.flights: dict[str, SingleFlight[Snapshot]] = {}
        self.refreshing: set[str] = set()
        self.get_now: Callable[[str], Any] | None = None
        self.set_now: Callable[[str, Any, float], None] | None = None

    def known(self, key: str) -> str:
        """The whole key in the generation last seen."""
        return self.prefix + checked_key(key)

    def tag_marker(self, tag: str) -> str:
        """Where the version of a tag stands; no user's key can be here."""
        return f"{self.namespace}:tag:{tag}"

    def forget_flights(self, keys: Sequence[str] | None = None) -> None:
        """Let later callers of these keys, or of all, join no load that goes on already."""
        if keys is None:
            self.flights.clear()
            return
        for key in keys:
            self.flights.pop(key, None)

    @abstractmethod
    async def read(self, keys: Sequence[str], markers: Sequence[str] = ()) -> list[Any]:
        """What stands under the keys, then under whole marker keys; `MISSING` where nothing is."""

    def copy_now(self, key: str) -> Any:  # noqa: ARG002 - where there are no copies
        """A copy of what stands under a key; `MISSING` when only a read can tell."""
        return MISSING

    async def read_one(self, key: str) -> Any:
        """What stands under a key, by the shortest way."""
        return (await self.read([key]))[0]

    @abstractmethod
    async def write(self, values: Mapping[str, Any], ttl_seconds: float) -> None:
        """Store by key, in the generation that stands."""

    @abstractmethod
    async def current(self) -> str:
        """What stands before each key in the generation that stands now."""

    async def whole(self, key: str) -> str:
        """The whole key in the generation that stands now."""
        checked_key(key)
        if self.pending:
            await self.pending.send()
        return await self.current() + key

    def whole_now(self, key: str) -> str:
        """The whole key in the generation that stands now, without an event loop."""
        return self.known(key)

    async def remove_now(self, keys: Sequence[str]) -> int:
        """Remove, whatever waits to be sent; say how many were there."""
        prefix = await self.current()
        return await self.reach.ask(self.provider.delete_many([prefix + key for key in keys]))

    async def remove(self, keys: Sequence[str]) -> int:
        """Remove; say how many were there."""
        if self.pending:
            await self.pending.send()
        return await self.remove_now(keys) if keys else 0

    @abstractmethod
    async def clear(self) -> None:
        """Begin a new generation."""

    async def remove_marked(self, markers: Sequence[str]) -> None:
        """Remove whole marker keys, and what waits before."""
        if self.pending:
            await self.pending.send()
        await self.remove_markers(markers)

    async def remove_markers(self, markers: Sequence[str]) -> None:
        """Remove whole marker keys, whatever waits to be sent."""
        await self.reach.ask(self.provider.delete_many(markers))


class LocalSpace(Space):
    """A namespace in this process alone: the generation is a number here."""

    def __init__(self, provider: BaseCacheProvider, namespace: str) -> None:
        super().__init__(provider, namespace)
        self._generation = 0
        self.prefix = f"{namespace}:0:"
        if isinstance(provider, SyncAccess):
            self.get_now = provider.get_now
            self.set_now = getattr(provider, "set_now", None)

    async def read(self, keys: Sequence[str], markers: Sequence[str] = ()) -> list[Any]:
        """What stands under the keys, then under whole marker keys."""
        whole = [self.prefix + key for key in checked_keys(keys)]
        return await self.reach.ask(self.provider.get_many([*whole, *markers]))

    async def write(self, values: Mapping[str, Any], ttl_seconds: float) -> None:
        """Store by key, in the generation that stands."""
        whole = {self.known(key): value for key, value in values.items()}
        await self.reach.ask(self.provider.set_many(whole, ttl_seconds))

    async def current(self) -> str:
        """What stands before each key."""
        return self.prefix

    async def clear(self) -> None:
        """Begin a new generation."""
        self._generation += 1
        self.prefix = f"{self.namespace}:{self._generation}:"


class SharedSpace(Space):
    """A namespace that other processes see."""

    def __init__(self, provider: BaseCacheProvider, namespace: str) -> None:
        super().__init__(provider, namespace)
        self.marker = f"{namespace}:generation"
        self._token = ""
        self._copies_now = getattr(provider, "copies_now", None)

    async def read(self, keys: Sequence[str], markers: Sequence[str] = ()) -> list[Any]:
        """What stands under the keys, then under whole marker keys."""
        checked_keys(keys)
        if self.pending or not self._token:
            await self._ready()
        for _ in range(_TRIES):
            known, prefix = self._token, self.prefix
            whole = [self.marker, *[prefix + key for key in keys], *markers]
            token, *found = await self.reach.ask(self.provider.look(whole))
            if token == known:
                return found
            await self._adopt(token)
        return [MISSING] * (len(keys) + len(markers))  # it is being cleared all the time

    def copy_now(self, key: str) -> Any:
        """A copy of what stands under a key; `MISSING` when only a read can tell."""
        copies_now, known = self._copies_now, self._token
        if copies_now is None or not known or self.pending.waits or type(key) is not str:
            return MISSING
        token, found = copies_now(self.marker, self.prefix + key)
        return found if token == known else MISSING

    async def read_one(self, key: str) -> Any:
        """What stands under a key, by the shortest way."""
        known = self._token
        is_usual = type(key) is str and 0 < len(key) <= MAX_KEY_CHARS and key.isascii()
        if self.pending.waits or not known or not is_usual:
            return (await self.read([key]))[0]
        try:
            token, found = await self.provider.look((self.marker, self.prefix + key))
        except InfrastructureError as error:
            self.reach.failed(error)
            raise
        if self.reach.is_down:
            self.reach.answered()
        return found if token == known else (await self.read([key]))[0]

    async def write(self, values: Mapping[str, Any], ttl_seconds: float) -> None:
        """Store by key, in the generation that stands."""
        checked_keys([*values])
        if self.pending or not self._token:
            await self._ready()
        for _ in range(_TRIES):
            known, prefix = self._token, self.prefix
            whole = {prefix + key: value for key, value in values.items()}
            token = await self.reach.ask(
                self.provider.set_and_look(whole, ttl_seconds, self.marker)
            )
            if token == known:
                return
            await self._adopt(token)

    async def current(self) -> str:
        """What stands before each key, as the storage has it now."""
        token = (await self.reach.ask(self.provider.look_past_copies([self.marker])))[0]
        if not token or token != self._token:
            await self._adopt(token)
        return self.prefix

    def whole_now(self, key: str) -> str:
        """The whole key in the generation that stands now, without an event loop."""
        provider = cast("SyncAccess", self.provider)
        token = provider.get_now(self.marker)
        if type(token) is not str:
            if token is not MISSING:
                provider.delete_now(self.marker)  # not of our making
            token = secrets.token_hex(8)
            if not provider.add_now(self.marker, token, MARKER_SECONDS):
                found = provider.get_now(self.marker)
                token = found if type(found) is str else token
        self._go_to(token)
        return self.prefix + checked_key(key)

    async def clear(self) -> None:
        """Begin a new generation."""
        await self.remove_markers([self.marker])

    async def _ready(self) -> None:
        """Send what waits, before anything is served; find the generation if none is known."""
        if self.pending:
            await self.pending.send()
        if not self._token:
            await self.current()

    async def _adopt(self, token: Any) -> None:
        """Go over to the generation that was found, or begin one where none was."""
        if type(token) is not str:
            token = await self._begun(token)
        self._go_to(token)

    def _go_to(self, token: str) -> None:
        self.prefix = f"{self.namespace}:{token}:"
        self._token = token  # last: who reads it first, in another thread, finds no older prefix

    async def _begun(self, found: Any) -> str:
        if found is not MISSING:
            await self.reach.ask(self.provider.delete_many([self.marker]))  # not of our making
        token = secrets.token_hex(8)
        if await self.reach.ask(self.provider.add(self.marker, token, MARKER_SECONDS)):
            return token
        theirs = await self.reach.ask(self.provider.get(self.marker))
        return theirs if type(theirs) is str else token


def space_of(provider: BaseCacheProvider, namespace: str) -> Space:
    """The namespace on that provider, the same object for everyone who asks."""
    space: Space | None = provider.spaces.get(namespace)
    if space is None:
        kind = SharedSpace if provider.is_shared else LocalSpace
        space = provider.spaces.setdefault(namespace, kind(provider, namespace))
    return space
