"""Saying what a provider is without calling it, and without showing any value."""

import inspect
from functools import partial
from typing import Any

from dependency_injector import providers as di

from containers.core import ports
from containers.core.groups import Group
from containers.core.providers import Managed
from containers.core.scoped import ContextValue, Scoped

#: The first class a provider is of names its lifetime: what derives stands before its base.
_LIFETIMES: tuple[tuple[type, str], ...] = (
    (Scoped, "scoped"),
    (ContextValue, "value of the scope"),
    (Managed, "managed"),
    (Group, "group"),
    (di.Container, "container"),
    (di.DependenciesContainer, "container"),
    (di.Self, "container"),
    (di.ThreadLocalSingleton, "thread-local singleton"),
    (di.ContextLocalSingleton, "context-local singleton"),
    (di.BaseSingleton, "singleton"),
    (di.BaseResource, "resource"),
    (di.Factory, "factory"),
    (di.Configuration, "configuration"),
    (di.ConfigurationOption, "configuration"),
    (di.TypedConfigurationOption, "configuration"),
    (di.Coroutine, "coroutine"),
    (di.Callable, "callable"),
    (di.Object, "object"),
    (di.Dependency, "dependency"),
    (di.Delegate, "delegate"),
    (di.Selector, "selector"),
    (di.Aggregate, "aggregate"),
    (di.List, "list"),
    (di.Dict, "dict"),
    (di.ProvidedInstance, "attribute"),
    (di.AttributeGetter, "attribute"),
    (di.ItemGetter, "attribute"),
    (di.MethodCaller, "attribute"),
)
_WITH_TARGET = (di.Factory, di.BaseSingleton, di.Callable, di.BaseResource)
#: Asking one of these for an attribute it lacks makes a new provider.
_ANSWER_EVERYTHING = (
    di.Configuration,
    di.ConfigurationOption,
    di.TypedConfigurationOption,
    di.ProvidedInstance,
    di.AttributeGetter,
    di.ItemGetter,
    di.MethodCaller,
    di.DependenciesContainer,
)


def lifetime_of(provider: di.Provider[Any]) -> str:
    """How long its objects live, in a word or two; for what makes none, what it is."""
    for cls, word in _LIFETIMES:
        if isinstance(provider, cls):
            return word
    return type(provider).__name__.lower()


def is_container(provider: di.Provider[Any]) -> bool:
    """Whether it holds other providers and makes nothing itself."""
    return isinstance(provider, (di.Container, di.DependenciesContainer, Group))


def members_of(provider: di.Provider[Any]) -> dict[str, di.Provider[Any]]:
    """The providers that a container or a group holds, by name; none for any other."""
    inside: Any = provider.providers if isinstance(provider, (di.Container, Group)) else {}
    return dict(inside)


def target_of(provider: Any) -> Any:
    """The class or function that makes its objects; None where none does."""
    if not isinstance(provider, _WITH_TARGET) or isinstance(provider, _ANSWER_EVERYTHING):
        return None
    target = provider.provides
    return None if isinstance(target, di.Provider) else target


def target_name(provider: Any) -> str:
    """The qualified name of what makes its objects, of an object its class; or empty."""
    target = target_of(provider)
    if target is not None:
        return qualified(target)
    if isinstance(provider, di.Object) and not isinstance(provider, di.Configuration):
        value = provider.provides
        is_named = inspect.isclass(value) or inspect.isroutine(value)
        return qualified(value if is_named else type(value))
    if isinstance(provider, di.Container):
        declared = getattr(provider.container, "declarative_parent", None)
        return qualified(declared) if declared else ""
    return ""


def port_name(provider: Any) -> str:
    """The qualified name of what its dependants expect; empty where nothing tells."""
    if isinstance(provider, di.Dependency):
        expected = provider.instance_of
        return "" if expected is object else qualified(expected)
    if isinstance(provider, _ANSWER_EVERYTHING) or is_container(provider):
        return ""
    port = ports.port_of(provider)
    return qualified(port) if port is not None else ""


def stand_in_name(stand_in: Any) -> str:
    """What replaces a provider, by its target or, failing that, by its lifetime."""
    return target_name(stand_in) or lifetime_of(stand_in)


def qualified(thing: Any) -> str:
    """Module and name of a class or function; of another object those of its class."""
    while isinstance(thing, partial):
        thing = thing.func
    if not isinstance(getattr(thing, "__qualname__", None), str):
        thing = type(thing)
    module = getattr(thing, "__module__", None)
    hidden = module in {None, "builtins"}
    return str(thing.__qualname__) if hidden else f"{module}.{thing.__qualname__}"
