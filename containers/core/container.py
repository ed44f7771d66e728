"""The base classes of containers: dependency-injector's, with scopes, life and overrides."""

import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterable
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from dependency_injector import containers as di
from dependency_injector.providers import BaseResource

from containers.core import finding, graph, scopes, wiring
from containers.core.class_overrides import follow, override_class
from containers.core.failures import going_on
from containers.core.initializing import init_resources, shutdown_resources
from containers.core.layouts import Layout
from containers.core.lifecycle import Lifecycle
from containers.core.overrides import ContainerOverride, Override, replacements_for
from containers.core.providers import Managed
from containers.core.timeline import Timeline
from containers.core.validation import check
from infrastructure.health import Health, check_all

if TYPE_CHECKING:
    from containers.core.explaining import Explanation


class _Told:
    """A property that makes way for a provider of the same name."""

    def __init__(self, tell: Callable[[Any], bool]) -> None:
        self._tell = tell
        self.__doc__ = tell.__doc__

    def __get__(self, container: Any, owner: type | None = None) -> bool:
        return self._tell(container)


class Methods:
    """What every container of ours can do; a provider of the same name wins."""

    _layout: Layout | None = None

    if TYPE_CHECKING:

        def scope(self, **context: Any) -> scopes.Scope:
            """A unit of work, to be opened with `with` or `async with`."""

    else:  # the function itself: a call less for each unit of work
        scope = scopes.new_scope

    def get(self, provider: Any) -> Any:
        """The object at a dotted name, or of a provider.

        Raises:
            UnknownProviderError: The container has no such provider.
        """
        return finding.find(self, provider)()

    async def aget(self, provider: Any) -> Any:
        """The same for every provider, whether its object must be awaited or not.

        A resource that is not started is started first, and ended by the next `stop()`.
        """
        return await self._lifecycle().value_of(finding.find(self, provider))

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
        is_bare = modules is None and packages is None
        modules = list(config.modules if modules is None else modules)
        packages = list(config.packages if packages is None else packages)
        if modules or packages:
            caller = sys._getframe(1).f_globals  # noqa: SLF001 - names may be relative to it
            from_package = from_package or _home_of_names(self, caller)
            di.DynamicContainer.wire(self, modules, packages, from_package, **options)  # type: ignore[arg-type]  # self is one
            named = _module_names(modules, packages, from_package)
            try:
                wiring.wire(self, named)
            except BaseException:
                di.DynamicContainer.unwire(self)  # type: ignore[arg-type]  # self is one
                raise
        elif is_bare:
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
        with going_on(error):
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
        with going_on(error):
            self._lifecycle().stop_sync()

    @_Told
    def is_started(self) -> bool:
        """Whether the container runs."""
        return self._lifecycle().is_started

    def init_resources(self, resource_type: Any = BaseResource) -> Any:
        """Begin the resources, dependencies first: None, or an awaitable where one needs it.

        What this call began is ended again when one fails.
        """
        return init_resources(self, resource_type)

    def shutdown_resources(self, resource_type: Any = BaseResource) -> Any:
        """End the resources that began, dependants first: None, or an awaitable as above.

        Each has its turn; the only failure comes out as it is, several as a group.
        """
        return shutdown_resources(self, resource_type)

    def startup_report(self) -> Timeline:
        """What the last start did, in the order it was done; prints as a table."""
        return self._lifecycle().report

    def explain(self, provider: Any) -> "Explanation":
        """What a provider is, why, what it needs and who needs it; nothing is built for it.

        Args:
            provider: A dotted name, a provider, or one of the container's class.

        Raises:
            UnknownProviderError: The container has no such provider.
        """
        from containers.core.explaining import explain

        is_running = not isinstance(self, type) and self._lifecycle().is_started
        report = self._lifecycle().report if is_running else ()
        return explain(self, provider, {started.path for started in report})

    def graph(self, format: str = "mermaid", *, focus: Any = None) -> str:
        """The graph of the providers as text; nothing is built for it.

        Args:
            format: `mermaid`, `dot`, `svg` or `json`.
            focus: A provider or a dotted name: only what it reaches and what reaches it.

        Raises:
            ContainerError: There is no such format.
            UnknownProviderError: The container has no such provider.
        """
        from containers.core.drawing import draw

        return draw(self, format, focus=focus)

    async def health(self) -> dict[str, Health]:
        """Check every managed component at once; by provider path."""
        managed = {
            path: await graph.value_of(provider)
            for provider, path in graph.paths(self).items()
            if isinstance(provider, Managed)
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

    def __deepcopy__(self, memo: dict[Any, Any] | None = None) -> Self:
        memo = {} if memo is None else memo
        copied: Self | None = memo.get(id(self))
        if copied is None:
            copied = super().__deepcopy__(memo)
            follow(copied, self)
        return copied


class DeclarativeContainer(Methods, di.DeclarativeContainer):  # type: ignore[misc]  # ours give more
    """A container declared as a class; calling it gives a container with providers of its own."""

    instance_type = DynamicContainer

    def __new__(cls, **overriding: Any) -> Self:
        """Make a container; what is overridden on the class is overridden there."""
        container: Self = super().__new__(cls, **overriding)
        follow(container, cls, frozenset(overriding))
        return container

    @classmethod
    def override(  # type: ignore[override]  # ours takes more
        cls, mapping: Any = None, /, *, isolated: bool = False, **names: Any
    ) -> Override:
        """Replace providers of the class and of its containers, also of those made meanwhile.

        As of a container; what was given to a container when it was made stands. A container
        class keeps dependency-injector's meaning.
        """
        return override_class(cls, mapping, names, isolated=isolated)

    @classmethod
    def explain(cls, provider: Any) -> "Explanation":
        """The same of the declaration, before there is a container."""
        return Methods.explain(cls, provider)  # type: ignore[arg-type]  # a class will do

    @classmethod
    def graph(cls, format: str = "mermaid", *, focus: Any = None) -> str:
        """The same of the declaration, before there is a container."""
        return Methods.graph(cls, format, focus=focus)  # type: ignore[arg-type]  # a class will do


def _home_of_names(container: Any, caller: dict[str, Any]) -> str | None:
    """The package that relative names start from: declared, the declaration's, or the caller's."""
    config = container.wiring_config
    if config.from_package is not None:
        return str(config.from_package)
    if container.declarative_parent is not None and (config.modules or config.packages):
        caller = vars(sys.modules[container.declarative_parent.__module__])
    return caller.get("__package__")


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
