"""The cache as an application sees it: one namespace, with lifetimes and single flight."""

import inspect
import math
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeVar, overload

from infrastructure import ambient
from infrastructure.cache.base import MISSING, BaseCacheProvider, CacheRegistry
from infrastructure.errors import (
    ConfigurationError,
    InfrastructureError,
    UnsupportedError,
    classify,
)
from infrastructure.health import Health
from infrastructure.resilience import SingleFlight
from infrastructure.serialization import freeze, thaw

#: What gives the value of a key that is not cached; sync or async.
Loader = Callable[[], Any]
T = TypeVar("T")

_NAMESPACE: Final = re.compile(r"[A-Za-z0-9_.-]+")
_MAX_KEY_CHARS: Final = 1024
_MAX_TTL_SECONDS: Final = 100 * 365 * 86400.0
#: Mistakes of the caller; any other error means that the application goes on without the cache.
_MISTAKES: Final = (ConfigurationError, UnsupportedError)


class CacheService:
    """Values of one namespace; other namespaces on the same storage are never seen or touched.

    Without a provider it uses the default container's: `cache.default`, or for a `cache_type`
    the first configured cache of that kind, looked up at each use; one that is configured
    nowhere is made from the kind's defaults. `disconnect()` closes a given provider and one made
    here, and leaves the container's alone.

    When the cache is down or busy every call raises what the provider raises, except
    `get_or_set`, which then gives the loader's answer.

    Args:
        namespace: Letters, digits, `_`, `.` and `-`.
        default_ttl: Seconds an entry lives that is set without a lifetime; None takes the
            provider's `ttl_seconds`.
        cache_type: The kind to use, such as `CacheType.MEMORY`; ignored with a provider.
        provider: Where values are kept.

    Attributes:
        fallbacks: How often `get_or_set` went on without the cache, by operation (`get`, `set`)
            and category of the error.
    """

    def __init__(
        self,
        namespace: str,
        default_ttl: float | None = None,
        cache_type: str | None = None,
        *,
        provider: BaseCacheProvider | None = None,
    ) -> None:
        if not _NAMESPACE.fullmatch(namespace):
            raise ValueError(
                f"namespace {namespace!r} is not made of letters, digits, '_', '.' and '-'"
            )
        self.namespace = namespace
        self.default_ttl = None if default_ttl is None else _checked_ttl(default_ttl)
        self.cache_type = cache_type
        self.fallbacks: Counter[tuple[str, str]] = Counter()
        self._own = provider
        self._prefix = f"{namespace}:"
        self._flights: SingleFlight[Any] = SingleFlight()

    def __repr__(self) -> str:
        return f"<CacheService {self.namespace}>"

    @property
    def provider(self) -> BaseCacheProvider:
        """Where values are kept.

        Raises:
            ConfigurationError: None was given, and there is no default container.
        """
        if self._own is None:
            return self._ambient_provider()
        return self._own

    async def get(self, key: str, default: Any = None) -> Any:
        """The value, or `default`."""
        value = await self.provider.get(self._full(key))
        return default if value is MISSING else value

    async def set(self, key: str, value: Any, ttl: float | None = None) -> None:
        """Keep a value for `ttl` seconds; an older value and its lifetime are replaced.

        Raises:
            UnsupportedError: The value is of a type that cannot be stored.
        """
        provider = self.provider
        await provider.set(self._full(key), value, self._seconds(ttl, provider))

    async def delete(self, key: str) -> bool:
        """Remove; say whether it was there."""
        return await self.delete_many([key]) == 1

    async def exists(self, key: str) -> bool:
        """Whether there is a value."""
        return await self.ttl(key) is not None

    async def ttl(self, key: str) -> float | None:
        """Seconds the value has left; None when there is none."""
        return await self.provider.ttl(self._full(key))

    async def get_many(self, keys: Sequence[str], default: Any = None) -> list[Any]:
        """The values in the order of `keys`, `default` for each that is not there."""
        values = await self.provider.get_many([self._full(key) for key in keys])
        return [default if value is MISSING else value for value in values]

    async def set_many(self, values: Mapping[str, Any], ttl: float | None = None) -> None:
        """Keep several values for `ttl` seconds; when one cannot be stored, none is.

        Raises:
            UnsupportedError: A value is of a type that cannot be stored.
        """
        provider = self.provider
        named = {self._full(key): value for key, value in values.items()}
        await provider.set_many(named, self._seconds(ttl, provider))

    async def delete_many(self, keys: Sequence[str]) -> int:
        """Remove; say how many were there."""
        return await self.provider.delete_many([self._full(key) for key in keys])

    async def clear(self) -> int:
        """Remove every key of this namespace, and no other; say how many."""
        return await self.provider.delete_prefix(self._prefix)

    @overload
    async def get_or_set(
        self, key: str, loader: Callable[[], Coroutine[Any, Any, T]], ttl: float | None = None
    ) -> T: ...
    @overload
    async def get_or_set(
        self, key: str, loader: Callable[[], T], ttl: float | None = None
    ) -> T: ...
    async def get_or_set(self, key: str, loader: Loader, ttl: float | None = None) -> Any:
        """The cached value, or the loader's, which is then kept for `ttl` seconds.

        Concurrent callers of one key share one run of the loader, and each gets an object of its
        own. A caller that is cancelled leaves the others unharmed. None is a value. The loader's
        exception goes to every caller and is not kept. When the cache is down the loader's
        answer is given all the same.

        Args:
            key: What is asked for.
            loader: Called without arguments; may be a coroutine function.
            ttl: Seconds; None takes the default.

        Raises:
            UnsupportedError: The loader's value is of a type that cannot be stored.
        """
        provider, full = self.provider, self._full(key)
        seconds = self._seconds(ttl, provider)
        is_up, value = await self._try_get(provider, full)
        if value is not MISSING:
            return value
        fill = _Fill(full, loader, seconds, is_up)
        return thaw(await self._flights.do(full, lambda: self._load(provider, fill)))

    async def connect(self) -> None:
        """Open the provider now rather than at first use."""
        await self.provider.connect()

    async def disconnect(self) -> None:
        """Close a provider that was given or made here; the container's stays open."""
        if self._own is not None:
            await self._own.disconnect()

    def is_healthy(self) -> bool:
        """What the last check of the provider said; False before the first."""
        return self.provider.is_healthy()

    async def health_check(self) -> Health:
        """Try one real operation of the provider."""
        return await self.provider.health_check()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.disconnect()

    async def _load(self, provider: BaseCacheProvider, fill: "_Fill") -> Any:
        """Look again, since another flight may have landed meanwhile; then load and keep."""
        is_up = fill.is_up
        if is_up:
            is_up, value = await self._try_get(provider, fill.key)
            if value is not MISSING:
                return freeze(value)
        value = fill.loader()
        if inspect.isawaitable(value):
            value = await value
        frozen = freeze(value, where=provider.name)
        if is_up:
            await self._try(provider.set(fill.key, value, fill.ttl_seconds), "set")
        return frozen

    async def _try_get(self, provider: BaseCacheProvider, key: str) -> tuple[bool, Any]:
        return await self._try(provider.get(key), "get")

    async def _try(self, call: Awaitable[Any], operation: str) -> tuple[bool, Any]:
        """Whether the cache answered, and its answer; counted when it did not."""
        try:
            return True, await call
        except _MISTAKES:
            raise
        except InfrastructureError as error:
            self.fallbacks[operation, classify(error)] += 1
            return False, MISSING

    def _ambient_provider(self) -> BaseCacheProvider:
        path: str | None = "default"
        if self.cache_type is not None:
            path = ambient.path_of_kind("cache", self.cache_type)
        if path is not None:
            service: CacheService = ambient.resolve(f"cache.{path}")
            return service.provider
        kind = str(self.cache_type)
        self._own = CacheRegistry.create(ambient.block_of_kind("cache", kind), name=f"cache.{kind}")
        return self._own

    def _full(self, key: str) -> str:
        if not 0 < len(key) <= _MAX_KEY_CHARS:
            raise ValueError(f"a cache key has 1 to {_MAX_KEY_CHARS} characters, not {len(key)}")
        if not key.isascii():
            key.encode()  # a lone surrogate could be sent to no server
        return self._prefix + key

    def _seconds(self, ttl: float | None, provider: BaseCacheProvider) -> float:
        if ttl is not None:
            return _checked_ttl(ttl)
        return provider.settings.ttl_seconds if self.default_ttl is None else self.default_ttl


class _Fill:
    """What one flight is to load."""

    __slots__ = ("is_up", "key", "loader", "ttl_seconds")

    def __init__(self, key: str, loader: Loader, ttl_seconds: float, is_up: bool) -> None:
        self.key = key
        self.loader = loader
        self.ttl_seconds = ttl_seconds
        self.is_up = is_up


def _checked_ttl(seconds: float) -> float:
    if isinstance(seconds, bool) or not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(f"a lifetime is a number of seconds above 0, not {seconds!r}")
    return min(seconds, _MAX_TTL_SECONDS)
