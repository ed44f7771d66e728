"""Containers for one test: made from its markers, closed after it."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import containers
from containers.core import graph
from containers.core.providers import Managed

#: Runs a coroutine to its end, on whichever loop it chooses.
Run = Callable[[Coroutine[Any, Any, None]], Any]


class ContainerFactory:
    """Makes containers, each closed with the test.

    Args (of the constructor):
        container_type: What to call; `containers.Container` or a subclass.
        profile: For calls that name none.
        overrides: Dotted settings under those of a call.
        watch: Told of each container made.
    """

    def __init__(
        self,
        container_type: Callable[..., Any],
        profile: Any,
        overrides: dict[str, Any],
        watch: Callable[[Any], None],
    ) -> None:
        self._container_type = container_type
        self._profile = profile
        self._overrides = overrides
        self._watch = watch
        self._made: list[Any] = []

    def __call__(
        self, *, profile: Any = None, overrides: dict[str, Any] | None = None, **options: Any
    ) -> Any:
        """A fresh container, not started.

        Args:
            profile: Instead of the test's.
            overrides: Settings over those of the test's markers; dotted or nested.
            options: As in `containers.Container`; with `settings=` nothing is loaded.
        """
        if options.get("settings") is None:
            options["profile"] = profile or self._profile
            options["overrides"] = {**self._overrides, **(overrides or {})}
        container = self._container_type(**options)
        self._made.append(container)
        self._watch(container)
        return container

    def close(self, run: Run) -> None:
        """Unwire and end every container, the last made first; each has its turn."""
        failures: list[Exception] = []
        while self._made:
            container = self._made.pop()
            containers.unwire(container)
            if not container.is_started and not any(_built(container)):
                continue
            try:
                run(_end(container))
            except Exception as error:  # noqa: BLE001 - the others must be ended too
                failures.append(error)
        if failures:
            raise ExceptionGroup("the test's containers did not end cleanly", failures)


def run_on_new_loop(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run it on a loop made for it; the current loop of the thread stays what it is."""
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(coroutine)
    finally:
        loop.close()


async def _end(container: Any) -> None:
    try:
        await containers.stop(container)
    finally:
        for thing in _built(container):
            await thing.disconnect()


def _built(container: Any) -> Iterator[Any]:
    """What opens itself on first use and may be open, started or not."""
    for _, provider in graph.walk(container):
        if isinstance(provider, Managed):
            yield from (one for one in provider.built() if _is_closable(one))


def _is_closable(thing: Any) -> bool:
    from infrastructure.cache import CacheService
    from infrastructure.component import Component

    return isinstance(thing, (CacheService, Component))
