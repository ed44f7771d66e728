"""Stand-ins for a while: what uses them is made anew, what was made before comes back."""

from collections.abc import Callable, Hashable, Iterator
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Self
from weakref import ref

from containers.core import layers
from containers.core.services import foreign
from containers.core.services.keeping import Store
from containers.core.services.registrations import ServiceDescriptor

if TYPE_CHECKING:
    from containers.core.services.container import DIContainer

isolated: ContextVar[tuple["Override", ...]] = ContextVar("isolated_overrides", default=())


class Override:
    """A `with` block in which an object stands for a service.

    Singletons that need the service, or that resolve by themselves, are made anew for the block
    and end with it; those made before are given again afterwards.
    """

    def __init__(
        self,
        container: "DIContainer",
        service: Any,
        stand_in: Any,
        key: Hashable,
        *,
        isolated: bool,
    ) -> None:
        self.container = container
        self.store = Store("override")
        self.store.know(stand_in)
        ready = ServiceDescriptor(
            service=service, key=key, target=stand_in, is_ready=True, layer=self
        )
        self.stand_ins = {(service, key): ready}
        self._is_isolated = isolated
        self._token: Token[tuple[Override, ...]] | None = None

    def __enter__(self) -> Self:
        self.store.check_open()
        if self._is_isolated:
            self._token = isolated.set((*isolated.get(), self))
        else:
            self.container.add_layer(self)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._take_off()
        self.store.close(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._take_off()
        await self.store.aclose(error)

    def _take_off(self) -> None:
        if self._token is not None:
            isolated.reset(self._token)
        self.container.remove_layer(self)


class PartOverride:
    """What an override of a declarative container replaces among the services of its part.

    Singletons made under it go with it; their endings are the container's.
    """

    def __init__(self, container: "DIContainer", layer: Any) -> None:
        self.store = Store("override")
        self.ends_in = container.store
        self._layer = ref(layer, _pruning(container))
        self.stand_ins = {
            wanted: ServiceDescriptor(
                service=wanted[0],
                key=wanted[1],
                target=stand_in,
                provider=stand_in,
                lifetime=foreign.lifetime_of(stand_in),
                layer=self,
            )
            for wanted, stand_in in _replaced(container, layer)
        }

    @property
    def is_over(self) -> bool:
        """Whether the override has ended."""
        layer = self._layer()
        return layer is None or not layer.is_active


def _pruning(container: "DIContainer") -> Callable[[Any], None]:
    """Has the container forget what it planned, if there still is one."""
    known = ref(container)

    def prune(_layer: Any) -> None:
        found = known()
        if found is not None:
            found.prune()

    return prune


def parts_for(container: "DIContainer") -> tuple[PartOverride, ...]:
    """What the overrides of declarative containers replace here, the innermost last."""
    found = []
    for layer in layers.active():
        known = layer.cells.get((container, "part"))
        if known is None:
            known = layer.cells[container, "part"] = PartOverride(container, layer)
        if known.stand_ins:
            found.append(known)
    return tuple(found)


def _replaced(container: "DIContainer", layer: Any) -> Iterator[tuple[tuple[Any, Hashable], Any]]:
    for provider, stand_in in layer.replacements.items():
        part = getattr(provider, "services", None)
        if getattr(part, "container", None) is container:
            yield provider.wanted, stand_in


def isolated_for(container: "DIContainer") -> tuple[Override, ...]:
    """The overrides of the current task or thread."""
    return tuple(one for one in isolated.get() if one.container is container)
