"""The cache as an application sees it: one namespace, with lifetimes and single flight."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeVar, overload

from infrastructure.cache.base import BaseCacheProvider
from infrastructure.cache.desk import PLAIN, Desk
from infrastructure.cache.entries import MISSING, Missing, at_once
from infrastructure.cache.keys import (
    MAX_KEY_CHARS,
    checked_key,
    checked_keys,
    checked_namespace,
    checked_tags,
    checked_ttl,
)
from infrastructure.cache.life import CacheLife
from infrastructure.cache.loaders import LoadContext
from infrastructure.cache.pending import OnFailure
from infrastructure.cache.waiting import Timing
from infrastructure.config.models.cache import CacheEntryOptions
from infrastructure.errors import InfrastructureError

T = TypeVar("T")
Options = CacheEntryOptions | str | None

_TUPLE: Final = tuple
_TIMING: Final = Timing()


class CacheService(CacheLife):
    """Values of one namespace; other namespaces on the same storage are never seen or touched.

    Without a provider it uses the default container's: `cache.default`, or for a `cache_type`
    the first configured cache of that kind, looked up at each use; one that is configured
    nowhere is made from the kind's defaults. `disconnect()` closes a given provider and one made
    here, and leaves the container's alone.

    When the cache is down or busy every call raises what the provider raises, except
    `get_or_set`, which then gives the loader's answer. A removal may wait instead
    (`on_failure="queue"`): it is sent before anything else is asked of this namespace, and until
    it is, nothing is served here that may be what was to be removed.

    `options` are a `CacheEntryOptions`, or the name of one under `entry_options` in the block.
    A key has 1 to 1024 characters, all of them data; a lifetime is in seconds, above 0.

    Args:
        namespace: Letters, digits, `_`, `.` and `-`.
        default_ttl: Seconds an entry lives that is set without a lifetime; None takes the
            provider's `ttl_seconds`.
        cache_type: The kind to use, such as `CacheType.MEMORY`; ignored with a provider.
        provider: Where values are kept.
        timing: Clocks and chance, for tests.

    Attributes:
        counts: What happened so far.
    """

    def __init__(
        self,
        namespace: str,
        default_ttl: float | None = None,
        cache_type: str | None = None,
        *,
        provider: BaseCacheProvider | None = None,
        timing: Timing = _TIMING,
    ) -> None:
        super().__init__(checked_namespace(namespace), cache_type, provider, timing)
        self.default_ttl = None if default_ttl is None else checked_ttl(default_ttl)

    def __repr__(self) -> str:
        return f"<CacheService {self.namespace}>"

    async def get(self, key: str, default: Any = None) -> Any:
        """The value, or `default`."""
        desk = self._fixed or self.desk()
        space = desk.space
        if (get_now := space.get_now) is None:
            if (found := space.copy_now(key)) is MISSING:
                found = await space.read_one(key)
        else:
            try:
                found = get_now(space.prefix + key)
            except TypeError:
                checked_key(key)
                raise
        if found is not MISSING:
            if type(found) is _TUPLE:
                found = at_once(found, desk.keeping.wall(), None)
            if found is not MISSING:
                self.counts.hits += 1
                return found
            return (await self._found(desk, [key], default))[0]
        checked_key(key)
        self.counts.misses += 1
        return default

    async def get_many(self, keys: Sequence[str], default: Any = None) -> list[Any]:
        """The values in the order of `keys`, `default` for each that is not there."""
        return await self._found(self.desk(), keys, default)

    async def set(
        self, key: str, value: Any, ttl: float | None = None, *, options: Options = None
    ) -> None:
        """Keep a value for `ttl` seconds; an older value and its lifetime are replaced.

        Raises:
            UnsupportedError: The value is of a type that cannot be stored, or too large.
        """
        desk = self._fixed or self.desk()
        space = desk.space
        set_now = space.set_now
        if set_now is None or options is not None or type(value) is _TUPLE:
            await self.set_many({key: value}, ttl, options=options)
            return
        seconds = desk.ttl_seconds if self.default_ttl is None else self.default_ttl
        if ttl is not None:
            seconds = checked_ttl(ttl)
        if space.flights:
            space.forget_flights([key])
        try:
            if not (0 < len(key) <= MAX_KEY_CHARS and key.isascii()):
                checked_key(key)
            set_now(space.prefix + key, value, seconds)
        except TypeError:
            checked_key(key)
            raise

    async def set_many(
        self, values: Mapping[str, Any], ttl: float | None = None, *, options: Options = None
    ) -> None:
        """Keep several values for `ttl` seconds; when one cannot be stored, none is.

        Raises:
            UnsupportedError: A value is of a type that cannot be stored, or too large.
        """
        desk = self.desk()
        chosen, seconds = self.chosen(ttl, options)
        if values:
            desk.space.forget_flights(list(values))
            await desk.keeping.store(values, chosen, seconds)

    async def delete(self, key: str, *, on_failure: OnFailure = "raise") -> bool:
        """Remove; say whether it was there, as far as is known."""
        return await self.delete_many([key], on_failure=on_failure) == 1

    async def delete_many(self, keys: Sequence[str], *, on_failure: OnFailure = "raise") -> int:
        """Remove; say how many were there, as far as is known."""
        space = self.desk().space
        space.forget_flights(checked_keys(keys))  # what is no key must not come to be queued
        try:
            return await space.remove(keys)
        except InfrastructureError as error:
            await space.pending.postpone(error, on_failure, keys=keys)
            return 0

    async def remove_by_tag(self, *tags: str, on_failure: OnFailure = "raise") -> None:
        """Remove every entry that has one of these tags, without looking for them."""
        desk = self.desk()
        space, markers = desk.space, desk.keeping.tags.markers(checked_tags(tags))
        space.forget_flights()
        try:
            await space.remove_marked(markers)
        except InfrastructureError as error:
            await space.pending.postpone(error, on_failure, markers=markers)

    async def clear(self, *, on_failure: OnFailure = "raise") -> None:
        """Remove every key of this namespace, and no other; it takes the same time for any number.

        What was stored is found by nobody from now on, and ends with its lifetime.
        """
        space = self.desk().space
        space.forget_flights()
        try:
            await space.clear()
        except InfrastructureError as error:
            await space.pending.postpone(error, on_failure)

    async def exists(self, key: str) -> bool:
        """Whether there is a value that may be given."""
        desk = self.desk()
        entry = await desk.keeping.find(key)
        return entry is not None and entry.is_fresh(desk.keeping.wall())

    async def ttl(self, key: str) -> float | None:
        """Seconds the value has left; None when there is none."""
        return await self.desk().keeping.ttl(key)

    async def expire(self, key: str, ttl: float) -> bool:
        """Let the value live `ttl` seconds from now on; say whether there is one."""
        return await self.desk().keeping.expire(key, checked_ttl(ttl))

    async def incr(self, key: str, amount: int = 1, ttl: float | None = None) -> int:
        """Add to a whole number, in one step for all processes; say what it is now.

        A missing key counts as 0 and lives `ttl` seconds; an existing one keeps its lifetime.

        Raises:
            TypeError: `amount` is no int.
            ConflictError: The value is not an int, or kept with options, or the sum is beyond
                64 bits.
            OutcomeUnknownError: Sent, but no answer came: it may or may not have been added.
        """
        desk = self.desk()
        seconds = self._seconds(ttl, PLAIN, desk)
        desk.space.forget_flights([key])
        return await desk.keeping.increment(key, amount, seconds)

    @overload
    async def get_or_set(
        self,
        key: str,
        loader: Callable[[LoadContext], Coroutine[Any, Any, T]]
        | Callable[[], Coroutine[Any, Any, T]],
        ttl: float | None = None,
        *,
        options: Options = None,
    ) -> T: ...
    @overload
    async def get_or_set(
        self,
        key: str,
        loader: Callable[[LoadContext], T] | Callable[[], T],
        ttl: float | None = None,
        *,
        options: Options = None,
    ) -> T: ...
    async def get_or_set(
        self,
        key: str,
        loader: Callable[..., Any],
        ttl: float | None = None,
        *,
        options: Options = None,
    ) -> Any:
        """The cached value, or the loader's, which is then kept for `ttl` seconds.

        Concurrent callers of one key share one run of the loader, and each gets an object of its
        own; where other processes see the storage, one process loads and the others wait for
        it. A caller that is cancelled leaves the others unharmed. None is a value. The loader's
        exception goes to every caller and is not kept, unless the options have a stale value
        given instead. What is set, deleted or cleared while the loader runs is not covered by
        its answer. When the cache is down the loader's answer is given all the same.

        Args:
            key: What is asked for.
            loader: Called without arguments, or with a `LoadContext` if it has a parameter
                without a default; may be a coroutine function.
            ttl: Seconds; None takes that of the options, else the default.
            options: How the entry is kept and loaded.

        Raises:
            UnsupportedError: The loader's value is of a type that cannot be stored.
        """
        desk = self._fixed or self.desk()
        if (get_now := desk.space.get_now) is not None:
            try:
                found = get_now(desk.space.prefix + key)
            except (InfrastructureError, TypeError):
                found = MISSING  # a policy says no, or it is no key; what follows tells which
            if type(found) is _TUPLE:
                found = at_once(found, desk.keeping.wall(), desk.options(options).eager_refresh)
            if found is not MISSING:
                self.counts.hits += 1
                return found
        chosen, seconds = self.chosen(ttl, options)
        return await desk.get_or_load(key, loader, chosen, seconds)

    async def _found(self, desk: Desk, keys: Sequence[str], default: Any) -> list[Any]:
        found = await desk.space.read(keys)
        if _TUPLE in {*map(type, found)}:  # the usual values need no entry made for each
            entries, now = await desk.keeping.opened(found), desk.keeping.wall()
            found = [
                entry.value if entry is not None and entry.is_fresh(now) else MISSING
                for entry in entries
            ]
        misses = sum(value is MISSING for value in found) if Missing in {*map(type, found)} else 0
        self.counts.hits += len(found) - misses
        self.counts.misses += misses
        return [default if value is MISSING else value for value in found] if misses else found

    def chosen(self, ttl: float | None, options: Options) -> tuple[CacheEntryOptions, float]:
        """The options and lifetime that a call with these means."""
        desk = self.desk()
        chosen = desk.options(options)
        return chosen, self._seconds(ttl, chosen, desk)

    def _seconds(self, ttl: float | None, options: CacheEntryOptions, desk: Desk) -> float:
        if ttl is not None:
            return checked_ttl(ttl)
        if options is not PLAIN and options.ttl_seconds is not None:
            return options.ttl_seconds
        return desk.ttl_seconds if self.default_ttl is None else self.default_ttl
