"""dependency-injector's provider names; where ours do more, they stand in their place."""

from dependency_injector.providers import (
    Aggregate,
    Configuration,
    Container,
    ContextLocalSingleton,
    Coroutine,
    Delegate,
    DependenciesContainer,
    Dependency,
    Dict,
    FactoryAggregate,
    List,
    Provider,
    Resource,
    Selector,
    Self,
    ThreadLocalSingleton,
    ThreadSafeSingleton,
)

from containers.core.groups import Group
from containers.core.providers import Callable, Factory, Managed, Object, Scoped, Singleton

__all__ = [
    "Aggregate",
    "Callable",
    "Configuration",
    "Container",
    "ContextLocalSingleton",
    "Coroutine",
    "Delegate",
    "DependenciesContainer",
    "Dependency",
    "Dict",
    "Factory",
    "FactoryAggregate",
    "Group",
    "List",
    "Managed",
    "Object",
    "Provider",
    "Resource",
    "Scoped",
    "Selector",
    "Self",
    "Singleton",
    "ThreadLocalSingleton",
    "ThreadSafeSingleton",
]
