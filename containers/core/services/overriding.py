"""Stand-ins for a while: what uses them is made anew, what was made before comes back."""

from collections.abc import Hashable
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Self

from containers.core.services.keeping import Store
from containers.core.services.registrations import Registration

if TYPE_CHECKING:
    from containers.core.services.container import DIContainer

_isolated: ContextVar[tuple["Override", ...]] = ContextVar("isolated_overrides", default=())


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
        ready = Registration(service=service, key=key, target=stand_in, is_ready=True, layer=self)
        self.stand_ins = {(service, key): ready}
        self._is_isolated = isolated
        self._token: Token[tuple[Override, ...]] | None = None

    def __enter__(self) -> Self:
        self.store.check_open()
        if self._is_isolated:
            self._token = _isolated.set((*_isolated.get(), self))
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
            _isolated.reset(self._token)
        self.container.remove_layer(self)


def isolated_for(container: "DIContainer") -> tuple[Override, ...]:
    """The overrides of the current task or thread."""
    return tuple(one for one in _isolated.get() if one.container is container)
