"""The type-keyed container."""

from collections.abc import Hashable, Iterable
from typing import Any, Self
from weakref import WeakKeyDictionary

from containers.core.fitting import misfit
from containers.core.services import generics
from containers.core.services.catalog import Catalog
from containers.core.services.checking import problems_of
from containers.core.services.compiling import Compiler
from containers.core.services.keeping import Store
from containers.core.services.making import Getter
from containers.core.services.overriding import Override, isolated_for, parts_for
from containers.core.services.planning import Planner
from containers.core.services.plans import Candidate, Cell
from containers.core.services.ports import ScopeFactory, ServiceProvider, ServiceQuery
from containers.core.services.providers import ResolvingProvider
from containers.core.services.registering import Registering
from containers.core.services.registrations import ANY_KEY, ServiceLifetime
from containers.errors import OverrideTypeError, ValidationError

_TRANSIENT = ServiceLifetime.TRANSIENT


class DIContainer(Registering, ResolvingProvider):
    """Registers services by type and makes their objects, each with what it asks for.

    Objects it makes end with it, or with the scope they were made for, last made first: those
    with `close` or `aclose`, those yielded by generators and those entered from context managers.
    Ready objects are not its own. A transient with such an ending is kept until its container or
    scope ends, so ask a scope for those.

    It is a service itself, as `DIContainer` and, with its scopes, as `ServiceProvider`; so are
    `ScopeFactory` and `ServiceQuery`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.root = self
        self.store = Store("container")
        self.inside: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        #: Whether it is a part of a declarative container, whose overrides reach it.
        self.is_part = False
        self.getters: dict[Any, Getter] = {}
        self._layers: tuple[Override, ...] = ()
        self._compilers: dict[tuple[Any, ...], Compiler] = {}
        self._cells: dict[tuple[Candidate, frozenset[Any]], Cell] = {}
        for builtin in (DIContainer, ScopeFactory, ServiceQuery):
            self._add(service=builtin, target=_the_root, lifetime=_TRANSIENT, is_builtin=True)
        asker = {"service": ServiceProvider, "target": _the_asker}
        self._add(**asker, lifetime=_TRANSIENT, is_builtin=True)

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        """A declarative container that is copied with it keeps it; a factory gives each its own."""
        return self

    def check(self) -> None:
        """Look at every registration without making anything.

        Raises:
            ValidationError: With every fault: what is not registered, circles, captives.
        """
        problems = tuple(dict.fromkeys(problems_of(self.compiler().planner)))
        if problems:
            raise ValidationError(problems)

    def build(self) -> Self:
        """Check everything, and take no more registrations from now on; twice is once.

        Raises:
            ValidationError: With every fault; the container is not frozen then.
        """
        self.check()
        self._is_frozen = True
        compiler = self.compiler()
        for one in self.descriptors:
            if not one.is_open and one.key is not ANY_KEY:
                compiler.getter(one.service, one.key)
        return self

    def override(
        self,
        interface: Any,
        stand_in: object,
        *,
        key: Hashable = None,
        isolated: bool = False,
    ) -> Override:
        """Let an object stand for a service in a `with` block.

        Args:
            interface: The service.
            stand_in: The object.
            key: The key of the service.
            isolated: Only for the current task or thread and the tasks started there.

        Raises:
            OverrideTypeError: The object does not fit the interface.
            ServiceNotRegisteredError: There is nothing to stand for.
        """
        found = misfit(stand_in, interface)
        if found:
            raise OverrideTypeError(
                f"the stand-in for {generics.name_of(interface)} {found}", where="services"
            )
        self.compiler().planner.catalog.asked(interface, key)
        return Override(self, interface, stand_in, key, isolated=isolated)

    def add_layer(self, layer: Override) -> None:
        """Let an override hold for everybody."""
        with self._lock:
            self._layers = (*self._layers, layer)
            self.getters = {}

    def remove_layer(self, layer: Override) -> None:
        """Take an override off, and forget what was planned under it."""
        with self._lock:
            self._layers = tuple(one for one in self._layers if one is not layer)
            self.getters = {}
            compilers, cells = self._compilers.items(), self._cells.items()
            self._compilers = {key: one for key, one in compilers if layer not in key}
            self._cells = {key: one for key, one in cells if layer not in key[1]}

    def prune(self) -> None:
        """Forget what was planned under overrides of declarative containers that have ended."""
        with self._lock:
            compilers, cells = self._compilers.items(), self._cells.items()
            self._compilers = {key: one for key, one in compilers if not _is_over(key)}
            self._cells = {key: one for key, one in cells if not _is_over(key[1])}

    def cell(self, candidate: Candidate, changing: frozenset[Any]) -> Cell:
        """The one place of a candidate under the overrides that change it."""
        with self._lock:
            return self._cells.setdefault((candidate, changing), Cell(candidate))

    def compiler(self) -> Compiler:
        """What resolves, under the overrides of the caller; the common one answers at once."""
        with self._lock:
            own = (*isolated_for(self), *(parts_for(self) if self.is_part else ()))
            layers = (*self._layers, *own)
            compiler = self._compilers.get(layers)
            if compiler is None:
                compiler = Compiler(self, Planner(Catalog(self._registrations, layers), self))
                self._compilers[layers] = compiler
            if not own:
                self.getters = compiler.getters
            return compiler

    def _forget(self) -> None:
        self._compilers = {}
        self.getters = {}


def _is_over(overrides: Iterable[Any]) -> bool:
    return any(getattr(one, "is_over", False) for one in overrides)


def _the_root(root: Any, _asker: Any) -> Any:
    return root


def _the_asker(_root: Any, asker: Any) -> Any:
    return asker
