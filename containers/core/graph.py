"""Walking the providers of a container: paths, dependencies, dependants."""

import inspect
from collections.abc import Iterator
from typing import Any

from dependency_injector import providers as di

from containers.core import ledger
from containers.core.groups import Group
from containers.core.targets import Target, target_of

Provider = di.Provider


def walk(container: Any, prefix: str = "") -> Iterator[tuple[str, Provider[Any]]]:
    """Every provider of a container and of the containers in it, with its dotted path."""
    for name, provider in tuple(container.providers.items()):
        if isinstance(provider, di.Self):
            continue
        path = f"{prefix}{name}"
        yield path, provider
        if isinstance(provider, (di.Container, Group)):
            yield from walk(provider, f"{path}.")


def paths(container: Any) -> dict[Provider[Any], str]:
    """The dotted path of every provider; the first one found where a provider has several."""
    found: dict[Provider[Any], str] = {}
    for path, provider in walk(container):
        found.setdefault(provider, path)
    return found


def dependencies(provider: Provider[Any]) -> tuple[Provider[Any], ...]:
    """The providers this one calls to make its object; not those it only hands on."""
    return tuple(other for other in provider.related if not isinstance(other, di.Delegate))


def is_async(provider: Provider[Any]) -> bool:
    """Whether an object of this provider must be awaited, told from the declared graph alone."""
    return asyncness(provider)[0]


def asyncness(provider: Provider[Any]) -> tuple[bool, set[Provider[Any]]]:
    """The same, with every provider that was looked at; none of them is async where this is not."""
    seen: set[Provider[Any]] = set()
    waiting, answer = [provider], False
    while waiting and not answer:
        one = waiting.pop()
        if one not in seen and not _is_passed_over(one):
            seen.add(one)
            answer = _awaits(one)
            waiting += declared(one)
    for one in seen:
        ledger.rely_on(one)
    return answer, seen


def is_unset(provider: Provider[Any]) -> bool:
    """Whether it is a `Dependency` that was given nothing yet; it may be given anything."""
    if not isinstance(provider, di.Dependency) or provider.last_overriding is not None:
        return False
    default: Any = provider.default
    return default is None


def must_await(provider: Provider[Any]) -> bool:
    """The same, where the provider may know it already."""
    known = getattr(type(provider), "is_async", None)
    return known(provider) if known else is_async(provider)


async def value_of(injection: Any) -> Any:
    """The value an argument stands for: providers are called, and awaited where they must be."""
    if not isinstance(injection, Provider) or di.is_delegated(injection):
        return injection
    value = injection()
    if must_await(injection):
        return await value
    # ours tell; what they give otherwise is an object, though it could be awaited, as a pool
    is_ours = hasattr(type(injection), "is_async")
    return await value if not is_ours and inspect.isawaitable(value) else value


def _is_passed_over(provider: Provider[Any]) -> bool:
    """What is only handed on, or is opened by the container: its dependants get the object."""
    if isinstance(provider, di.BaseResource):
        return bool(getattr(provider, "is_opened_by_container", False))
    return isinstance(provider, (di.Delegate, di.Container, Group))


def _awaits(provider: Provider[Any]) -> bool:
    """Whether making its object must be awaited, whatever it is made of."""
    if hasattr(type(provider), "is_async_by_request") and provider.is_async_by_request:  # type: ignore[attr-defined]  # ours have it
        return True
    target = getattr(provider, "provides", None) if _has_target(provider) else None
    is_known = target is not None and not isinstance(target, Provider)
    return is_known and _makes_awaitable(provider, target)


def declared(provider: Provider[Any]) -> Iterator[Provider[Any]]:
    """The dependencies as written, without what overrides them at the moment.

    What a `Dependency` was given is what it declares.
    """
    given = isinstance(provider, (di.Dependency, di.DependenciesContainer))
    overriding = set() if given else set(provider.overridden)
    return (other for other in dependencies(provider) if other not in overriding)


def _has_target(provider: Provider[Any]) -> bool:
    return isinstance(provider, (di.Factory, di.BaseSingleton, di.Callable, di.BaseResource))


def _makes_awaitable(provider: Provider[Any], target: Any) -> bool:
    """A factory of generators or contexts hands them out as they are; only scopes enter them."""
    kind = target_of(target)
    if isinstance(provider, di.BaseResource) or getattr(provider, "enters_contexts", False):
        return kind.is_async
    return kind is Target.COROUTINE


def name_of(provider: Provider[Any]) -> str:
    """What a provider is called where its path is not known: as declared, or as its target."""
    if hasattr(type(provider), "declared_as") and provider.declared_as:  # type: ignore[attr-defined]  # ours have it
        return str(provider.declared_as)  # type: ignore[attr-defined]  # ours have it
    named = getattr(getattr(provider, "provides", None), "__qualname__", None)
    return named if isinstance(named, str) else type(provider).__name__
