"""The shape of a provider: how its class is written out in a plan, if it may be."""

import keyword
from enum import StrEnum
from typing import Any

from dependency_injector import providers as di

from containers.core import graph, scopes


class Shape(StrEnum):
    """How a class of providers is written out."""

    CONSTANT = "constant"
    CALL = "call"
    SINGLETON = "singleton"
    SCOPED = "scoped"


def shape_of(provider: Any) -> Shape | None:
    """The shape of exactly this class; a subclass may do anything, and is called."""
    shape: Shape | None = type(provider).__dict__.get("shape")
    return shape


def is_writable(provider: Any) -> bool:
    """Whether the provider's constructor can be written into a plan."""
    if shape_of(provider) not in {Shape.CALL, Shape.SCOPED}:
        return False
    target = provider.provides
    attributes = getattr(provider, "attributes", {})
    names = (*provider.kwargs, *attributes)
    return (
        callable(target)
        and not (attributes and shape_of(provider) is Shape.SCOPED)
        and not isinstance(target, di.Provider)
        and not (isinstance(provider, di.Callable) and graph.must_await(provider))
        and all(map(is_plain_name, names))
    )


def is_plain_name(name: str) -> bool:
    """Whether a source can have the name, and means that very name; Python normalizes others."""
    is_word = name.isascii() and name.isidentifier() and not keyword.iskeyword(name)
    return is_word and name != "__debug__"


def has_place(provider: Any) -> bool:
    """Whether the current scope keeps the objects of the scoped provider."""
    scope = scopes.current()
    return scope is not None and scope.layout is not None and provider in scope.layout.index
