"""What a provider is given: each other provider, by the names of the arguments it is given as."""

import inspect
from collections.abc import Container, Iterator
from typing import Any

from dependency_injector import providers as di

from containers.core import graph, layers
from containers.core.describing import is_container, target_of

#: They only reach into what another provider gives.
_LOOKING_THROUGH = (
    di.ProvidedInstance,
    di.AttributeGetter,
    di.ItemGetter,
    di.MethodCaller,
    di.TypedConfigurationOption,
)


def needs(
    provider: di.Provider[Any], named: Container[di.Provider[Any]]
) -> dict[di.Provider[Any], tuple[str, ...]]:
    """The providers one needs, with the arguments; what stands in for it is no need.

    Options of a configuration are told as the configuration, and what only reaches into another
    provider as that one, unless the container has it under a name of its own.
    """
    if is_container(provider):
        return {}
    replacing = stand_ins(provider)
    found: dict[di.Provider[Any], tuple[str, ...]] = {}
    arguments = _arguments(provider)
    is_option = isinstance(provider, di.ConfigurationOption)
    others = _root(provider) if is_option else graph.dependencies(provider)
    for other in dict.fromkeys(others):
        if other in replacing:
            continue
        for real in behind(other, named):
            if real is not provider or other is provider:
                names = (*found.get(real, ()), *arguments.get(other, ()))
                found[real] = tuple(dict.fromkeys(names))
    return found


def stand_ins(provider: di.Provider[Any]) -> tuple[di.Provider[Any], ...]:
    """What replaces the provider here, the one that answers last.

    What a `Dependency` or a configuration was given is what it needs, and replaces nothing.
    """
    if isinstance(provider, (di.ConfigurationOption, di.Self)):
        return ()
    layered = tuple(
        layer.replacements[provider] for layer in layers.active() if provider in layer.replacements
    )
    given = isinstance(provider, (di.Dependency, di.DependenciesContainer, di.Configuration))
    foreign = () if given else tuple(provider.overridden)
    return tuple(dict.fromkeys((*(one for one in foreign if one not in layered), *layered)))


def behind(
    provider: di.Provider[Any], named: Container[di.Provider[Any]]
) -> Iterator[di.Provider[Any]]:
    """What is really meant: the provider itself, or those it looks through to."""
    waiting, seen = [provider], set()
    while waiting:
        one = waiting.pop(0)
        if one in seen:
            continue
        seen.add(one)
        if one in named or not isinstance(one, (*_LOOKING_THROUGH, di.ConfigurationOption)):
            yield one
        elif isinstance(one, di.ConfigurationOption):
            waiting += _root(one)
        else:
            waiting += graph.dependencies(one)


def _root(option: Any) -> list[di.Provider[Any]]:
    """The configuration of an option, and the providers among its keys.

    Asking an option for `root` would make an option of that name.
    """
    keys = [each for each in option.get_name_segments() if isinstance(each, di.Provider)]
    return [option._get_root(), *keys]  # noqa: SLF001 - the one way to it


def _arguments(provider: Any) -> dict[di.Provider[Any], tuple[str, ...]]:
    """The names of arguments by what is given for them."""
    found: dict[di.Provider[Any], tuple[str, ...]] = {}
    for name, value in _given(provider):
        if isinstance(value, di.Provider):
            found[value] = (*found.get(value, ()), name)
    return found


def _given(provider: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(provider, (di.Factory, di.BaseSingleton, di.Callable, di.BaseResource)):
        yield from zip(_positions(provider), provider.args, strict=False)
        yield from provider.kwargs.items()
    if isinstance(provider, (di.Factory, di.BaseSingleton)):
        yield from ((f".{name}", value) for name, value in provider.attributes.items())
    elif isinstance(provider, di.List):
        yield from ((str(at), value) for at, value in enumerate(provider.args))
    elif isinstance(provider, di.Dict):
        yield from ((_key(key), value) for key, value in provider.kwargs.items())
    elif isinstance(provider, (di.Selector, di.Aggregate)):
        yield from ((_key(key), value) for key, value in provider.providers.items())


def _key(key: Any) -> str:
    """A key as text; of one that is no text only what it is, as it may hold a value."""
    return key if isinstance(key, str) else type(key).__name__


def _positions(provider: Any) -> Iterator[str]:
    """The names of the positional parameters of its target; numbers where it tells none."""
    kinds = inspect.Parameter
    target = target_of(provider)
    try:
        parameters = inspect.signature(target).parameters.values() if target else ()
    except (TypeError, ValueError):  # a builtin that does not tell
        parameters = ()
    count = 0
    for one in parameters:
        if one.kind in {kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD}:
            yield one.name
            count += 1
        elif one.kind is kinds.VAR_POSITIONAL:
            yield from (f"*{one.name}" for _ in provider.args[count:])
            return
    yield from map(str, range(count, len(provider.args)))
