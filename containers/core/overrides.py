"""Overriding by name or provider, checked, and undone without a trace."""

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self, cast

from dependency_injector import containers
from dependency_injector import providers as di

from containers.core import graph, layers, ports
from containers.core.finding import find
from containers.core.layered import Layered
from containers.core.providers import Object
from containers.errors import OverrideTypeError


class Override:
    """An active override; ends with its `with` block or with `undo()`, whichever comes first."""

    def __init__(
        self, container: Any, replacements: Mapping[di.Provider[Any], Any], *, isolated: bool
    ) -> None:
        made = {
            provider: value if isinstance(value, di.Provider) else Object(value)
            for provider, value in replacements.items()
        }
        standing: dict[di.Provider[Any], di.Provider[Any]] = {}
        for layer in layers.active():
            standing.update(layer.replacements)
        ours: dict[di.Provider[Any], di.Provider[Any]] = {
            provider: value for provider, value in made.items() if isinstance(provider, Layered)
        }
        self._foreign = {
            provider: value for provider, value in made.items() if provider not in ours
        }
        self._layer = layers.Layer(ours | self._foreign, standing)
        self._foreign |= _fresh_copies(self._layer, container)
        if isolated and self._foreign:
            known = graph.paths(container)
            named = sorted(known.get(one) or graph.name_of(one) for one in self._foreign)
            raise OverrideTypeError(
                f"cannot isolate {', '.join(named)}",
                where="containers",
                hint="Declare it with `containers.providers`, or leave out isolated=True.",
            )
        layers.push(self._layer, isolated=isolated)
        try:
            for provider, value in self._foreign.items():
                provider.override(value)
        except BaseException:
            self.undo()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.undo()

    def undo(self) -> None:
        """End the override; objects built before it come back, those built under it go."""
        layers.remove(self._layer)
        while self._foreign:
            provider, value = self._foreign.popitem()
            if value in provider.overridden:
                _withdraw(provider, value)


class ContainerOverride(Override):
    """dependency-injector's override by a whole container, with the same way out."""

    def __init__(self, container: Any, overriding: Any) -> None:
        self._container = container
        self._overriding = overriding
        containers.DynamicContainer.override(container, overriding)

    def undo(self) -> None:
        """Take the overriding container away, wherever it stands among others."""
        container, overriding = self._container, self._overriding
        if overriding not in container.overridden:
            return
        container.overridden = tuple(one for one in container.overridden if one is not overriding)
        for name, value in overriding.providers.items():
            if name in container.providers and value in container.providers[name].overridden:
                _withdraw(container.providers[name], value)


def replacements_for(
    container: Any, mapping: Mapping[Any, Any] | None, names: Mapping[str, Any]
) -> dict[di.Provider[Any], Any]:
    """Providers to replace, by what stands in for them.

    A keyword naming a part means its `default`.

    Raises:
        UnknownProviderError: A name the container does not have; lists those it has.
        OverrideTypeError: A stand-in that lacks methods of the port.
    """
    found: dict[di.Provider[Any], Any] = {}
    for key, value in (mapping or {}).items():
        found.update(_expanded(find(container, key), value))
    for name, value in names.items():
        provider = find(container, name)
        if isinstance(provider, di.Container):
            provider = find(container, f"{name}.default")
        found[provider] = value
    known = graph.paths(container)
    for provider, value in found.items():
        path = known.get(provider, str(provider))
        ports.check(path, provider, value)
        _refuse_async(path, provider, value)
    return found


def _expanded(provider: di.Provider[Any], value: Any) -> Iterator[tuple[di.Provider[Any], Any]]:
    """A container in the place of a container means its providers in the place of theirs."""
    if not isinstance(provider, di.Container):
        yield provider, value
        return
    inside = cast("dict[str, di.Provider[Any]]", provider.providers)
    if not hasattr(value, "providers"):
        raise OverrideTypeError(
            f"a container cannot be replaced by {type(value).__qualname__}",
            where=", ".join(inside),
            hint="Name one of the providers in it, or give a container.",
        )
    for name, other in value.providers.items():
        if name in inside:
            yield from _expanded(inside[name], other)


def _refuse_async(path: str, provider: di.Provider[Any], value: Any) -> None:
    """Dependants of a plain provider would be handed an awaitable nobody awaits."""
    if not isinstance(value, di.Provider) or not isinstance(provider, Layered):
        return
    if graph.is_async(value) and not provider.is_async():
        raise OverrideTypeError(
            "cannot be replaced by a provider whose object must be awaited",
            where=path,
            hint="Await the object first and give that.",
        )


def _fresh_copies(layer: layers.Layer, container: Any) -> dict[di.Provider[Any], Any]:
    """Stand-ins for plain singletons that depend on something replaced: built anew, then gone."""
    copies: dict[di.Provider[Any], Any] = {}
    for provider in container.traverse(types=[di.BaseSingleton]):
        if not isinstance(provider, Layered) and layer.touches(provider):
            copy = type(provider)(provider.provides, *provider.args, **provider.kwargs)
            copy.set_attributes(**provider.attributes)
            copies[provider] = copy
    return copies


def _withdraw(provider: di.Provider[Any], value: di.Provider[Any]) -> None:
    """Take one overriding away, wherever it stands among the provider's others."""
    others = [other for other in provider.overridden if other is not value]
    if isinstance(provider, di.Container):
        di.Provider.reset_override(provider)
        for other in others:
            di.Provider.override(provider, other)
        inside = cast("dict[str, di.Provider[Any]]", provider.providers)
        for name, inner in value.providers.items():  # type: ignore[attr-defined]  # it is a container's
            _withdraw(inside[name], inner)
        return
    provider.reset_override()
    for other in others:
        provider.override(other)
