"""dependency-injector's provider names; where ours do more, they stand in their place."""

from typing import TYPE_CHECKING, Any

from dependency_injector.providers import (
    AbstractCallable,
    AbstractCoroutine,
    AbstractFactory,
    AbstractSingleton,
    Aggregate,
    AttributeGetter,
    BaseResource,
    BaseSingleton,
    CallableDelegate,
    Configuration,
    ConfigurationOption,
    Container,
    ContextLocalResource,
    ContextLocalSingleton,
    Coroutine,
    CoroutineDelegate,
    Delegate,
    DelegatedCallable,
    DelegatedCoroutine,
    DelegatedFactory,
    DelegatedSingleton,
    DelegatedThreadLocalSingleton,
    DelegatedThreadSafeSingleton,
    DependenciesContainer,
    Dependency,
    Dict,
    ExternalDependency,
    FactoryAggregate,
    FactoryDelegate,
    ItemGetter,
    List,
    MethodCaller,
    OverridingContext,
    ProvidedInstance,
    Provider,
    Selector,
    Self,
    SingletonDelegate,
    ThreadLocalSingleton,
    ThreadSafeSingleton,
    TypedConfigurationOption,
    deepcopy,
    ensure_is_provider,
    is_delegated,
    is_provider,
    represent_provider,
    traverse,
)

from containers.core.groups import Group
from containers.core.providers import Callable, Factory, Managed, Object, Singleton
from containers.core.resources import Resource
from containers.core.scoped import ContextValue, Scoped

if TYPE_CHECKING:
    from containers.core.services.part import Services

__all__ = [
    "AbstractCallable",
    "AbstractCoroutine",
    "AbstractFactory",
    "AbstractSingleton",
    "Aggregate",
    "AttributeGetter",
    "BaseResource",
    "BaseSingleton",
    "Callable",
    "CallableDelegate",
    "Configuration",
    "ConfigurationOption",
    "Container",
    "ContextLocalResource",
    "ContextLocalSingleton",
    "ContextValue",
    "Coroutine",
    "CoroutineDelegate",
    "Delegate",
    "DelegatedCallable",
    "DelegatedCoroutine",
    "DelegatedFactory",
    "DelegatedSingleton",
    "DelegatedThreadLocalSingleton",
    "DelegatedThreadSafeSingleton",
    "DependenciesContainer",
    "Dependency",
    "Dict",
    "ExternalDependency",
    "Factory",
    "FactoryAggregate",
    "FactoryDelegate",
    "Group",
    "ItemGetter",
    "List",
    "Managed",
    "MethodCaller",
    "Object",
    "OverridingContext",
    "ProvidedInstance",
    "Provider",
    "Resource",
    "Scoped",
    "Selector",
    "Self",
    "Services",
    "Singleton",
    "SingletonDelegate",
    "ThreadLocalSingleton",
    "ThreadSafeSingleton",
    "TypedConfigurationOption",
    "deepcopy",
    "ensure_is_provider",
    "is_delegated",
    "is_provider",
    "represent_provider",
    "traverse",
]


def __getattr__(name: str) -> Any:
    """The type-keyed services are imported by those who have some."""
    if name != "Services":
        raise AttributeError(f"module 'containers.providers' has no attribute '{name}'")
    from containers.core.services.part import Services

    return Services
