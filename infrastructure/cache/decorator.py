"""`@cached`: a function whose answers are kept."""

import asyncio
import inspect
import sys
from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, cast

from infrastructure.cache.cache_service import CacheService, Options
from infrastructure.cache.call_keys import CallKeys, Key
from infrastructure.cache.keys import checked_ttl
from infrastructure.cache.sync_calls import SyncCalls
from infrastructure.resilience.strategy import is_async

P = ParamSpec("P")
R = TypeVar("R")


class CachedFunction(Generic[P, R]):
    """A function that is asked once for each key while its answer is kept.

    Attributes:
        cache: Where answers are kept.
        is_async: A call of it is to be awaited.
    """

    def __init__(
        self,
        function: Callable[P, R],
        cache: CacheService,
        keys: CallKeys,
        ttl: float | None,
        options: Options,
    ) -> None:
        update_wrapper(self, function)
        self.cache = cache
        self._function = function
        self._keys = keys
        self._kept = (ttl, options)
        self.is_async = is_async(function)
        self._sync = SyncCalls(cache)
        if self.is_async:
            _mark_async(self)

    def __call__(self, *args: P.args, **named: P.kwargs) -> R:
        """The answer that is kept, or the function's."""
        ttl, options = self._kept
        call = partial(self._function, *args, **named)
        key = self._keys.of(args, named)
        if self.is_async:
            loading = self.cache.get_or_set(key, _no_parameters(call), ttl, options=options)
            return cast("R", loading)
        return cast("R", self._sync.get_or_call(key, call, ttl, options))

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else BoundCached(self, instance)

    def key(self, *args: P.args, **named: P.kwargs) -> str:
        """The key of a call with these arguments."""
        return self._keys.of(args, named)

    async def invalidate(self, *args: P.args, **named: P.kwargs) -> bool:
        """Forget the answer to these arguments; say whether there was one."""
        return await self.cache.delete(self._keys.of(args, named))


class BoundCached:
    """A cached method of one instance."""

    def __init__(self, function: "CachedFunction[Any, Any]", instance: Any) -> None:
        update_wrapper(self, function)
        self.__self__ = instance
        self._function = function
        if function.is_async:
            _mark_async(self)

    def __call__(self, *args: Any, **named: Any) -> Any:
        """The answer that is kept, or the method's."""
        return self._function(self.__self__, *args, **named)

    def key(self, *args: Any, **named: Any) -> str:
        """The key of a call with these arguments."""
        return self._function.key(self.__self__, *args, **named)

    async def invalidate(self, *args: Any, **named: Any) -> bool:
        """Forget the answer to these arguments; say whether there was one."""
        return await self._function.invalidate(self.__self__, *args, **named)


def cached(
    cache: CacheService,
    key: Key = None,
    ttl: float | None = None,
    options: Options = None,
) -> Callable[[Callable[P, R]], CachedFunction[P, R]]:
    """Keep the answers of a function or coroutine function; None is an answer.

    Without `key` the key is made of the function's full name and its arguments by type and
    value, the same however they are passed. An argument no stable text can be made of is a
    TypeError; a method needs `key`, or a class with `__cache_key__`, so that instances are not
    taken for one another.

    A sync function is kept where the storage is in reach without an event loop (memory, disk).
    On other kinds it must run in a worker thread of a loop that has opened the cache.

    Args:
        cache: Where answers are kept.
        key: A template such as `user:{user_id}`, or a function of the same arguments.
        ttl: Seconds; None takes that of the options, else the cache's default.
        options: How answers are kept and loaded.
    """
    if ttl is not None:
        checked_ttl(ttl)

    def around(function: Callable[P, R]) -> CachedFunction[P, R]:
        return CachedFunction(function, cache, CallKeys(function, key), ttl, options)

    return around


def _no_parameters(call: Callable[[], Any]) -> Callable[[], Any]:
    """The call as a loader that takes nothing, whatever the function takes."""
    return lambda: call()  # noqa: PLW0108 - a partial would show the function's own parameters


def _mark_async(function: Any) -> None:
    """Let `inspect` and `asyncio` see a coroutine function."""
    if sys.version_info >= (3, 12):
        inspect.markcoroutinefunction(function)
    else:
        function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # noqa: SLF001 - the mark of 3.11
