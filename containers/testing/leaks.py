"""Overrides and default containers that a test leaves behind: told, and taken away."""

import sys
from typing import Any


class Leaks:
    """What stood before a test, to be compared with what stands after it.

    Where the container framework was never imported nothing can be left behind, and nothing is
    imported for it.
    """

    def __init__(self) -> None:
        self._watched: list[Any] = []
        self._overridden: dict[Any, tuple[Any, ...]] = {}
        self._layers = _layers()
        self._default = _default()
        self._watch_declaration()

    def watch(self, container: Any, *, is_new: bool = False) -> None:
        """From now on, overrides of this container's providers count; of a new one, all do."""
        if any(container is one for one in self._watched):
            return
        self._watched.append(container)
        for one in (container, *_paths(container)):
            self._overridden[one] = () if is_new else tuple(one.overridden)

    def found(self) -> list[str]:
        """What is left behind, each in a few words, after having undone it."""
        if "containers.core.layers" not in sys.modules:
            return []
        self._watch_declaration(is_new=True)
        return [*self._undo_layers(), *self._undo_overrides(), *self._undo_default()]

    def _watch_declaration(self, *, is_new: bool = False) -> None:
        """An override of the class would be in every container made from now on."""
        module = sys.modules.get("containers.application")
        if module is not None:
            self.watch(module.Container, is_new=is_new)

    def _undo_layers(self) -> list[str]:
        from containers.core import layers

        left = [layer for layer in _layers() if layer not in self._layers]
        for layer in reversed(left):
            layers.remove(layer)
            for provider, value in layer.replacements.items():
                _restore(provider, tuple(one for one in provider.overridden if one is not value))
        return [self._told(*pair) for layer in left for pair in layer.replacements.items()]

    def _undo_overrides(self) -> list[str]:
        told: list[str] = []
        for container in self._watched:
            for provider in _paths(container):
                before = self._overridden.get(provider, ())
                now = tuple(provider.overridden)
                told += [self._told(provider, value) for value in now if value not in before]
                _restore(provider, before)
            if container.overridden != self._overridden[container]:
                container.overridden = self._overridden[container]
        return told

    def _undo_default(self) -> list[str]:
        now = _default()
        if now is self._default:
            return []
        from containers.default import set_default

        set_default(self._default)
        return [f"a default container given to set_default(), {type(now).__name__}"]

    def _told(self, provider: Any, value: Any) -> str:
        known = (_paths(container) for container in self._watched)
        path = next((paths[provider] for paths in known if provider in paths), None)
        return f"'{path or _described(provider)}' overridden by {_described(value)}"


def _layers() -> tuple[Any, ...]:
    module = sys.modules.get("containers.core.layers")
    return module.active() if module else ()


def _default() -> Any:
    module = sys.modules.get("containers.default")
    return module.given_default() if module else None


def _paths(container: Any) -> dict[Any, str]:
    from containers.core import graph

    return graph.paths(container)


def _restore(provider: Any, before: tuple[Any, ...]) -> None:
    """Leave exactly these overridings of dependency-injector's on the provider."""
    from dependency_injector import providers as di

    if tuple(provider.overridden) == before:
        return
    # A container in a container hands its overridings on to what is in it, which has its own turn.
    kind = di.Provider if isinstance(provider, di.Container) else type(provider)
    kind.reset_override(provider)
    for value in before:
        kind.override(provider, value)


def _described(provider: Any) -> str:
    """What a provider gives, by its type and never by its value."""
    target = getattr(provider, "provides", None)
    if target is None:
        return type(provider).__name__
    if isinstance(target, type) or callable(target):
        return str(getattr(target, "__qualname__", type(target).__qualname__))
    return type(target).__qualname__
