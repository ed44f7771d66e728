"""Compiled plans: what answers a provider's calls from its second use on."""

import itertools
import linecache
import weakref
from collections.abc import Callable
from functools import lru_cache, partial
from types import CodeType, FunctionType
from typing import Any

from containers.core import graph, layers, ledger, writing
from containers.core.shapes import Shape, has_place, is_writable, shape_of

#: Distinct sources that are kept compiled; a plan in use keeps its own code.
KEPT_SOURCES = 512

_numbers = itertools.count(1)


def answer_of(provider: Any) -> Callable[..., Any]:
    """What answers the provider's calls, put in its place where it may stay there."""
    seen = ledger.revision()
    reach = (provider, *provider.traverse())
    for one in reach:
        ledger.rely_on(one)
    if layers.touched_anywhere(provider):
        stay = partial(provider.answer_by, provider.uncompiled)
        ledger.suspend(provider, seen, stay)
        return provider.uncompiled  # type: ignore[no-any-return]  # a provider's method
    answer = _answer(provider)
    if answer is None:
        return provider.uncompiled  # type: ignore[no-any-return]  # a provider's method
    ledger.enter(provider, reach, seen, partial(provider.answer_by, answer))
    return answer


def _answer(provider: Any) -> Callable[..., Any] | None:
    """The function that does what the provider declares; None while it is too early for one."""
    stand_in = provider.last_overriding
    if stand_in is not None and graph.must_await(stand_in) == provider.is_async():
        return stand_in  # type: ignore[no-any-return]  # a provider
    shape = None if stand_in is not None else shape_of(provider)
    if shape is Shape.CONSTANT:
        return _kept(provider, provider.provides)
    if shape is Shape.SINGLETON:
        return _of_singleton(provider)
    if shape is Shape.SCOPED and not has_place(provider):
        return None
    if shape is None or not is_writable(provider):
        return provider.uncompiled  # type: ignore[no-any-return]  # a provider's method
    return function_of(*writing.written(provider))


def _of_singleton(provider: Any) -> Callable[..., Any] | None:
    built = provider.built()
    return _kept(provider, *built) if built else None


def function_of(source: str, name: str, names: dict[str, Any]) -> Callable[..., Any]:
    """The function `name` of a source whose globals are `names`.

    Tracebacks show its lines. Its code is its own: the interpreter specializes code for the
    objects that it meets, and functions that share code would undo each other's.
    """
    code, lines = _compiled(source)
    exec(code, names)  # noqa: S102 - the source is ours, and every object in it a name
    filename = f"<plan {next(_numbers)} of {name}>"
    function: FunctionType = names[name]
    for made in [one for one in names.values() if _is_from(one, code)]:
        made.__code__ = made.__code__.replace(co_filename=filename)
    linecache.cache[filename] = (len(source), None, lines, filename)
    weakref.finalize(function.__code__, linecache.cache.pop, filename, None).atexit = False
    return function


@lru_cache(KEPT_SOURCES)
def _compiled(source: str) -> tuple[CodeType, list[str]]:
    return compile(source, "<plan>", "exec"), source.splitlines(keepends=True)


def _is_from(value: Any, code: CodeType) -> bool:
    return isinstance(value, FunctionType) and value.__code__.co_filename == code.co_filename


def _kept(provider: Any, value: Any) -> Callable[..., Any]:
    """Gives the object that is there, or an awaitable of it."""
    return _awaited_constant(value) if provider.is_async() else _constant(value)


def _constant(value: Any) -> Callable[..., Any]:
    def constant(*_args: Any, **_kwargs: Any) -> Any:
        return value

    return constant


def _awaited_constant(value: Any) -> Callable[..., Any]:
    async def constant(*_args: Any, **_kwargs: Any) -> Any:
        return value

    return constant
