"""Entries of one namespace: found with everything that may make them invalid, stored with it."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from infrastructure.cache.entries import Entry, Versions, opened
from infrastructure.cache.keys import checked_ttl
from infrastructure.cache.spaces import Space
from infrastructure.cache.tags import Tags
from infrastructure.cache.waiting import Timing
from infrastructure.config.models.cache import CacheEntryOptions
from infrastructure.errors import ConflictError, InfrastructureError, UnsupportedError
from infrastructure.serialization import encode

#: How long the right to write an entry anew is held at most.
_REWRITE_SECONDS: Final = 5.0
_INT64: Final = 2**63


class Keeping:
    """Finds and stores entries.

    Args:
        space: The namespace.
        timing: How long a stale entry may be given is reckoned by its wall clock, the jitter of
            lifetimes by its chance.

    Attributes:
        tags: The tags of the namespace.
        wall: Seconds since 1970.
    """

    def __init__(self, space: Space, timing: Timing) -> None:
        self.tags = Tags(space)
        self.wall = timing.wall
        self._space = space
        self._chance = timing.chance

    async def find(self, key: str, tags: Sequence[str] = ()) -> Entry | None:
        """The entry of a key, fresh or not; its tags had better be known beforehand."""
        return (await self.find_many([key], tags))[0]

    async def find_many(self, keys: Sequence[str], tags: Sequence[str] = ()) -> list[Entry | None]:
        """The entries in the order of `keys`, None for each that is not there or void."""
        markers = [self._space.tag_marker(tag) for tag in tags]
        found = await self._space.read(keys, markers)
        known = dict(zip(markers, found[len(keys) :], strict=True))
        return await self.opened(found[: len(keys)], known)

    async def opened(
        self, found: Sequence[Any], known: Mapping[str, Any] | None = None
    ) -> list[Entry | None]:
        """The entries of what was found, None for each that is not there or void.

        Args:
            found: What stands under keys.
            known: What stands under markers of tags, as far as they were read with it.
        """
        entries = [opened(stored) for stored in found]
        if not any(entry is not None and entry.versions for entry in entries):
            return entries
        return await self._standing(entries, known or {})

    async def store(
        self, values: Mapping[str, Any], options: CacheEntryOptions, ttl_seconds: float
    ) -> None:
        """Store values by key.

        Raises:
            UnsupportedError: A value is of a type that cannot be stored, or too large.
        """
        versions = await self.tags.versions(options.tags, self.kept_seconds(options, ttl_seconds))
        entries = {
            key: self.entry(value, options, ttl_seconds, versions) for key, value in values.items()
        }
        seconds = {
            key: self.seconds_of(entry, ttl_seconds, options) for key, entry in entries.items()
        }
        longest = max(seconds.values())
        stored = {
            key: (entry if seconds[key] == longest else self._timed(entry, seconds[key])).stored()
            for key, entry in entries.items()
        }
        for key, value in stored.items():
            if not self.fits(value, options):
                raise UnsupportedError(
                    f"the value of {key!r:.80} takes more than {options.max_value_bytes} bytes",
                    where=self._space.provider.name,
                )
        await self._space.write(stored, longest)

    async def ttl(self, key: str) -> float | None:
        """Seconds a value will be given; None when there is none."""
        entry, now = await self.find(key), self.wall()
        if entry is None or not entry.is_fresh(now):
            return None
        if entry.fresh_until != math.inf:
            return entry.fresh_until - now
        return await self._space.reach.ask(self._space.provider.ttl(self._space.known(key)))

    async def expire(self, key: str, ttl_seconds: float) -> bool:
        """Give a value a new lifetime; say whether there is one.

        Raises:
            ConflictError: It is being loaded, and has more to it than its lifetime.
        """
        entry = await self.find(key)
        if entry is None or not entry.is_fresh(self.wall()):
            return False
        whole = self._space.known(key)
        if entry.fresh_until == math.inf:
            return await self._space.reach.ask(self._space.provider.expire(whole, ttl_seconds))

        def renewed(entry: Entry | None) -> tuple[Any, float] | None:
            now = self.wall()
            if entry is None or not entry.is_fresh(now):
                return None
            longer = entry.renewed(now + ttl_seconds)
            return longer.stored(), longer.kept_until - now

        return await self._rewritten(key, whole, renewed)

    async def increment(self, key: str, amount: int, ttl_seconds: float) -> int:
        """Add to a whole number; an entry that may not be given counts as not there.

        Raises:
            TypeError: `amount` is no int.
            ConflictError: The value is not an int, or kept with options or being loaded, or the
                sum is beyond 64 bits.
        """
        if type(amount) is not int:
            raise TypeError(f"a whole number is added, not a '{type(amount).__name__}'")
        whole, provider = await self._space.whole(key), self._space.provider

        def begun(entry: Entry | None) -> tuple[Any, float] | None:
            if entry is None or not entry.is_fresh(self.wall()):
                return amount, ttl_seconds
            if type(entry.value) is int and entry.fresh_until != math.inf:
                what = f"{key!r:.80} is kept with options, and cannot be counted"
                raise ConflictError(what, where=provider.name, hint="Set it without options.")
            return None

        try:
            return await self._space.reach.ask(provider.increment(whole, amount, ttl_seconds))
        except ConflictError:
            if not -_INT64 <= amount < _INT64:
                raise
            if not await self._rewritten(key, whole, begun):
                raise
        return amount

    async def _rewritten(
        self, key: str, whole: str, change: Callable[[Entry | None], tuple[Any, float] | None]
    ) -> bool:
        """Store what `change` makes of the entry that stands, unless that is None.

        Nobody changes it in between. The answer says whether it was stored.

        Raises:
            ConflictError: It is being loaded.
        """
        ask, provider = self._space.reach.ask, self._space.provider
        lease = await ask(provider.lease(whole, _REWRITE_SECONDS))
        if not lease:
            raise ConflictError(
                f"{key!r:.80} is being loaded", where=provider.name, hint="Try again after that."
            )
        try:
            new = change(await self.find(key))
            if new is not None:
                return await ask(provider.fill(whole, *new, lease))
        except BaseException:
            await self._release(whole, lease)
            raise
        await self._release(whole, lease)
        return False

    async def _release(self, whole: str, lease: str) -> None:
        """Give a right to write back; one that cannot be ends by itself."""
        with suppress(InfrastructureError):
            await self._space.reach.ask(self._space.provider.release(whole, lease))

    def entry(
        self,
        value: Any,
        options: CacheEntryOptions,
        ttl_seconds: float,
        versions: Versions = (),
        etag: str | None = None,
    ) -> Entry:
        """The entry of a value that is fresh from now on."""
        if not (options.needs_record or versions or etag is not None):
            return Entry(value)
        fresh = self.fresh_seconds(value, options, ttl_seconds)
        now = self.wall()
        kept_until = now + fresh + options.fail_safe_seconds
        return Entry(value, now + fresh, kept_until, fresh, etag, versions)

    def _timed(self, entry: Entry, seconds: float) -> Entry:
        """The entry with an end of its own, before that of those it is stored with."""
        if entry.fresh_until != math.inf:
            return entry
        until = self.wall() + seconds
        return Entry(entry.value, until, until, seconds)

    def seconds_of(self, entry: Entry, ttl_seconds: float, options: CacheEntryOptions) -> float:
        """How long the storage is to keep an entry."""
        if entry.versions or entry.etag is not None or options.needs_record:
            return max(entry.kept_until - self.wall(), 0.001)
        return self.fresh_seconds(entry.value, options, ttl_seconds)

    def fresh_seconds(self, value: Any, options: CacheEntryOptions, ttl_seconds: float) -> float:
        """How long a value is fresh: less than asked by the jitter, never longer."""
        if value is None and options.negative_ttl_seconds is not None:
            ttl_seconds = options.negative_ttl_seconds
        if options.jitter:
            ttl_seconds *= 1 - options.jitter * self._chance()
        return checked_ttl(ttl_seconds)

    @staticmethod
    def kept_seconds(options: CacheEntryOptions, ttl_seconds: float) -> float:
        """The longest that an entry will be kept."""
        longest = max(ttl_seconds, options.negative_ttl_seconds or 0.0)
        return longest + options.fail_safe_seconds

    @staticmethod
    def fits(stored: Any, options: CacheEntryOptions) -> bool:
        """Whether what is to be stored is not larger than the options allow."""
        most = options.max_value_bytes
        return most is None or len(encode(stored)) <= most

    async def _standing(
        self, entries: list[Entry | None], known: Mapping[str, Any]
    ) -> list[Entry | None]:
        """The entries, None in the place of each that has a removed tag; one read for all."""
        tags = {tag for entry in entries if entry is not None for tag, _ in entry.versions}
        rest = [marker for tag in tags if (marker := self._space.tag_marker(tag)) not in known]
        found = dict(known)
        if rest:
            found |= zip(rest, await self._space.read((), rest), strict=True)
        return [
            None
            if entry is not None
            and any(
                found[self._space.tag_marker(tag)] != version for tag, version in entry.versions
            )
            else entry
            for entry in entries
        ]
