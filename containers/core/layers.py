"""Override layers: what replaces what, for the whole process or for one task.

A layer knows the providers it replaces and every provider that depends on one of them. An object
built while a layer is active and touched by it is kept in the layer and goes with it; what was
built before is not touched, and comes back by identity when the layer goes.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from threading import Lock
from typing import Any
from weakref import WeakSet

from dependency_injector.providers import Provider

from containers.core import ledger
from containers.core.graph import dependencies

_lock = Lock()
_shared: tuple["Layer", ...] = ()
#: Every active layer of any task; what one of them touches is not compiled.
_everywhere: "WeakSet[Layer]" = WeakSet()
_isolated: ContextVar[tuple["Layer", ...]] = ContextVar("isolated_layers", default=())


class Layer:
    """One override: the replacements, which providers they touch, and what is built meanwhile.

    Args (of the constructor):
        replacements: Providers, and what stands in for each.
        standing: What outer layers replace already; those stand-ins are followed instead.
    """

    def __init__(
        self,
        replacements: Mapping[Provider[Any], Provider[Any]],
        standing: Mapping[Provider[Any], Provider[Any]],
    ) -> None:
        self.replacements = dict(replacements)
        self.cells: dict[Any, Any] = {}
        self.is_active = True
        self._standing = dict(standing)
        self._touched: dict[Provider[Any], bool] = {}
        self._revision = -1

    def touches(self, provider: Provider[Any]) -> bool:
        """Whether the provider, of whichever container, comes to depend on a replaced one."""
        revision = ledger.revision()
        if self._revision != revision:  # a declaration changed
            self._touched, self._revision = {}, revision
        touched = self._touched
        known = touched.get(provider)
        if known is None:
            known = touched[provider] = self._reaches_replaced(provider)
        return known

    def _reaches_replaced(self, provider: Provider[Any]) -> bool:
        seen: set[Provider[Any]] = set()
        waiting = [provider]
        while waiting:
            one = waiting.pop()
            ledger.rely_on(one)
            stand_in = self._standing.get(one)
            for other in dependencies(one) if stand_in is None else (stand_in,):
                if other in self.replacements:
                    return True
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        return False

    def brings(self, provider: Provider[Any]) -> bool:
        """Whether the provider stands in for another, or a stand-in depends on it."""
        stand_ins = self.replacements.values()
        return any(provider in (one, *one.traverse()) for one in stand_ins)


def active() -> tuple[Layer, ...]:
    """The layers seen from here, the innermost last: those of the process, then of the task."""
    stacked = _shared + _isolated.get()
    return tuple(layer for layer in stacked if layer.is_active) if stacked else stacked


def push(layer: Layer, *, isolated: bool) -> None:
    """Put a layer on top, for this task and its children or for the whole process."""
    global _shared  # noqa: PLW0603 - the one place that owns the stack
    with _lock:
        _everywhere.add(layer)
        if not isolated:
            _shared = (*_shared, layer)
    if isolated:
        _isolated.set((*_isolated.get(), layer))
    ledger.changed(layer.replacements)


def remove(layer: Layer) -> None:
    """Take a layer away, wherever in the stack it is and in every task; twice is once."""
    global _shared  # noqa: PLW0603 - the one place that owns the stack
    layer.is_active = False
    with _lock:
        _everywhere.discard(layer)
        _shared = tuple(other for other in _shared if other is not layer)
    _isolated.set(tuple(other for other in _isolated.get() if other is not layer))
    ledger.resume()


def replacement_of(provider: Provider[Any]) -> Provider[Any] | None:
    """What stands in for the provider here, or None."""
    for layer in reversed(active()):
        if provider in layer.replacements:
            return layer.replacements[provider]
    return None


def stand_in_of(provider: Provider[Any]) -> Provider[Any] | None:
    """What answers for the provider here: of a layer, else of dependency-injector's override."""
    stand_in: Provider[Any] | None = replacement_of(provider) or provider.last_overriding
    return stand_in


def touched_anywhere(provider: Provider[Any]) -> bool:
    """Whether a layer of any task replaces the provider or something it depends on."""
    with _lock:
        everywhere = tuple(_everywhere)
    return any(provider in one.replacements or one.touches(provider) for one in everywhere)


def touching(provider: Provider[Any]) -> tuple[Layer, ...]:
    """The active layers that replace something the provider depends on.

    An object is kept under this combination: it is right for it and for no other.
    """
    layers = active()
    return tuple(layer for layer in layers if layer.touches(provider)) if layers else layers
