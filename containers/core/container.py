"""The base classes of containers: dependency-injector's, with scopes, life and overrides."""

import importlib
import pkgutil
from collections.abc import Iterable
from types import ModuleType, TracebackType
from typing import Any, Self

from dependency_injector import containers as di

from containers.core import graph, scopes, wiring
from containers.core.lifecycle import Lifecycle, Started
from containers.core.overrides import ContainerOverride, Override, replacements_for
from containers.core.providers import Managed, value_of
from containers.core.validation import check
from infrastructure.health import Health, check_all


class Methods:
    """What every container of ours can do; a provider of the same name wins."""

    def scope(self, **context: Any) -> scopes.Scope:
        """A unit of work, to be opened with `with` or `async with`."""
        return scopes.Scope(self, context)

    def get(self, provider: Any) -> Any:
        """The object at a dotted name, or of a provider.

        Raises:
            UnknownProviderError: The container has no such provider.
        """
        return scopes.find(self, provider)()

    async def aget(self, provider: Any) -> Any:
        """The same for every provider, whether its object must be awaited or not."""
        return await value_of(scopes.find(self, provider))

    def override(self, mapping: Any = None, /, *, isolated: bool = False, **names: Any) -> Override:
        """Replace providers until the `with` block ends; reaches what is built already.

        Args:
            mapping: Dotted names or providers, and what stands in for them: an object or a
                provider. A container keeps dependency-injector's meaning.
            isolated: Only for this task and those it starts.
            names: The same for top-level names; the name of a part means its `default`.

        Raises:
            UnknownProviderError: A name the container does not have.
        """
        if di.is_container(mapping):
            return ContainerOverride(self, mapping)
        return Override(self, replacements_for(self, mapping, names), isolated=isolated)

    def wire(
        self,
        modules: Iterable[ModuleType | str] | None = None,
        packages: Iterable[ModuleType | str] | None = None,
        from_package: str | None = None,
        **options: Any,
    ) -> Self:
        """Fill injected functions: of the modules and packages, or without them of all, also later.

        Raises:
            WiringError: An injected parameter that no wired container can fill, with file and line.
        """
        config = self.wiring_config  # type: ignore[attr-defined]  # dependency-injector's
        modules = list(modules or config.modules)
        packages = list(packages or config.packages)
        if modules or packages:
            from_package = from_package or config.from_package
            di.DynamicContainer.wire(self, modules, packages, from_package, **options)  # type: ignore[arg-type]  # self is one
            named = _module_names(modules, packages, from_package)
            try:
                wiring.wire(self, named)
            except BaseException:
                di.DynamicContainer.unwire(self)  # type: ignore[arg-type]  # self is one
                raise
        else:
            wiring.wire(self, None)
        return self

    def unwire(self) -> None:
        """Take back every `wire` of this container."""
        di.DynamicContainer.unwire(self)  # type: ignore[arg-type]  # self is one
        wiring.unwire(self)

    def check(self) -> None:
        """Look at the whole declaration without making anything; starting does it first.

        Raises:
            ValidationError: With every fault: cycles, captive dependencies, arguments that are
                missing, unexpected or of another type, unresolved markers, unset dependencies.
        """
        check(self)

    async def start(self) -> None:
        """Start everything managed, dependencies first, the independent at once; twice is once."""
        await self._lifecycle().start()

    async def stop(self) -> None:
        """End everything started, in reverse; each has its turn; twice is once."""
        await self._lifecycle().stop()

    async def __aenter__(self) -> Self:
        await Methods.start(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await Methods.stop(self)

    def __enter__(self) -> Self:
        self._lifecycle().start_sync()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lifecycle().stop_sync()

    @property
    def is_started(self) -> bool:
        """Whether the container runs."""
        return self._lifecycle().is_started

    def startup_report(self) -> tuple[Started, ...]:
        """What the last start did, in the order it was done."""
        return self._lifecycle().report

    async def health(self) -> dict[str, Health]:
        """Check every managed component at once; by provider path."""
        managed = {
            path: provider()
            for provider, path in graph.paths(self).items()
            if isinstance(provider, Managed) and not provider.is_async()
        }
        return await check_all(
            {path: thing for path, thing in managed.items() if hasattr(thing, "health_check")}
        )

    def _lifecycle(self) -> Lifecycle:
        found: Lifecycle | None = self.__dict__.get("_life")
        if found is None:
            found = self.__dict__["_life"] = Lifecycle(self)
        return found


class DynamicContainer(Methods, di.DynamicContainer):  # type: ignore[misc]  # ours give more
    """A container made of providers set on it; also what a declared container gives when called."""

    def is_auto_wiring_enabled(self) -> bool:
        """Whether construction wires: only where the declaration names modules or packages."""
        config = self.wiring_config
        return bool(config.auto_wire and (config.modules or config.packages))


class DeclarativeContainer(Methods, di.DeclarativeContainer):  # type: ignore[misc]  # ours give more
    """A container declared as a class; calling it gives a container with providers of its own."""

    instance_type = DynamicContainer


def _module_names(
    modules: list[Any], packages: list[Any], from_package: str | None
) -> frozenset[str]:
    """The names of the modules, and of every module inside the packages."""
    named = {_named(one, from_package).__name__ for one in modules}
    for package in (_named(one, from_package) for one in packages):
        named.add(package.__name__)
        places = getattr(package, "__path__", ())
        named |= {found.name for found in pkgutil.walk_packages(places, f"{package.__name__}.")}
    return frozenset(named)


def _named(module: ModuleType | str, from_package: str | None) -> ModuleType:
    return importlib.import_module(module, from_package) if isinstance(module, str) else module
