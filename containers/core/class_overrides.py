"""Overriding a container class: its containers follow, those there are and those made meanwhile."""

from collections import deque
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from threading import RLock
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary, WeakSet, finalize

from dependency_injector import containers
from dependency_injector import providers as di

from containers.core import graph, overrides
from containers.core.layered import Layered
from containers.core.providers import Object
from containers.errors import UnknownProviderError

_lock = RLock()
_isolated: ContextVar[tuple["Followed", ...]] = ContextVar("isolated_classes", default=())


class Copied(NamedTuple):
    """A stand-in that came into a new container with a copy of the provider it overrides."""

    value: di.Provider[Any]
    own: di.Provider[Any]
    copied: di.Provider[Any]


class Followed(Protocol):
    """An override of a class that the containers made meanwhile follow."""

    @property
    def is_active(self) -> bool:
        """Whether it stands; it may have been taken away from under its handle."""

    def reach(self, container: Any, copies: list[Copied], given: frozenset[str]) -> None:
        """Override in a container what is overridden on the class.

        Args:
            container: One of the class or of a subclass.
            copies: What came into it with what it is a copy of.
            given: Names of providers its maker replaced; those stand.
        """


class ClassOverride(overrides.Override):
    """Stands on the class, and on every container of it and of its subclasses while it is active.

    Args (of the constructor):
        declared: The class.
        replacements: Its providers, and what stands in for each; all containers share it.
        isolated: Only for this task and those it starts.
    """

    def __init__(
        self, declared: Any, replacements: Mapping[di.Provider[Any], Any], *, isolated: bool
    ) -> None:
        self._declared = declared
        self._is_isolated = isolated
        self._replacements = {
            provider: value if isinstance(value, di.Provider) else Object(value)
            for provider, value in replacements.items()
        }
        self._on_class = overrides.Override(declared, self._replacements, isolated=isolated)
        self._on: WeakKeyDictionary[Any, tuple[overrides.Override, finalize[..., Any]]]
        self._on = WeakKeyDictionary()
        self._orphans: deque[overrides.Override] = deque()
        self._in_place = set(_in_place(self._on_class))
        try:
            with _lock:
                for container in _containers_of(declared):
                    self.reach(container, [], frozenset())
                self._begin()
        except BaseException:
            self.undo()
            raise

    def reach(self, container: Any, copies: list[Copied], given: frozenset[str]) -> None:
        """Override in a container what is overridden on the class."""
        self._end_orphans()
        for value, own, copied in copies:
            if value in self._in_place:
                _withdraw(own, copied)
        inside = {
            own: self._replacements[provider]
            for provider, own in _pairs(container.declarative_parent, container, given)
            if provider in self._replacements
        }
        if inside:
            made = overrides.Override(container, inside, isolated=self._is_isolated)
            self._in_place.update(_in_place(made))
            # collection may come at any moment, also while a lock is held: nothing is undone in it
            end = finalize(container, self._orphans.append, made)
            end.atexit = False
            self._on[container] = made, end

    @property
    def is_active(self) -> bool:
        """Whether it stands on its class."""
        return self._on_class._layer.is_active  # noqa: SLF001 - the override's own record

    def undo(self) -> None:
        """End the override everywhere; what was built before it comes back."""
        with _lock:
            _forget(self._declared, self)
            for made, end in list(self._on.values()):
                end.detach()
                made.undo()
            self._end_orphans()
        self._on_class.undo()

    def _end_orphans(self) -> None:
        """End the overrides of containers that are no more."""
        while self._orphans:
            self._orphans.popleft().undo()

    def _begin(self) -> None:
        if self._is_isolated:
            _isolated.set((*_isolated.get(), self))
        else:
            _followed(self._declared).append(self)


class ClassByClassOverride(overrides.Override):
    """dependency-injector's override of a class by a class, with a way out.

    As there, containers made before do not see it, and those made meanwhile have copies of what
    stands in. The way out takes both back, with all that was built of them.
    """

    def __init__(self, declared: Any, overriding: Any) -> None:
        self._declared = declared
        self._overriding = overriding
        self._stand_ins: set[di.Provider[Any]] = set(overriding.cls_providers.values())
        self._built = [one for one in _singletons(declared) if _is_built(one)]
        self._copies: list[tuple[Any, Copied]] = []
        containers.DeclarativeContainer.override.__func__(declared, overriding)  # type: ignore[attr-defined]  # it is a classmethod
        with _lock:
            _followed(declared).append(self)

    def reach(self, container: Any, copies: list[Copied], given: frozenset[str]) -> None:
        """Remember which stand-ins of a container made meanwhile are copies of the class's."""
        del given  # what its maker gave lies over the copies
        mine = [one for one in copies if one.value in self._stand_ins]
        self._stand_ins.update(one.copied for one in mine)
        self._copies += [(container, one) for one in mine]

    @property
    def is_active(self) -> bool:
        """Whether the class is overridden by the other."""
        return self._overriding in self._declared.overridden

    def undo(self) -> None:
        """Take the overriding class away, wherever it stands among others."""
        declared, overriding = self._declared, self._overriding
        with _lock:
            _forget(declared, self)
            copies, self._copies = self._copies, []
        if overriding in declared.overridden:
            declared.overridden = tuple(one for one in declared.overridden if one is not overriding)
            for name, value in overriding.cls_providers.items():
                if name in declared.providers:
                    self._take_back(declared, declared.providers[name], value)
        for container, (_, own, copied) in copies:
            self._take_back(container, own, copied)

    def _take_back(
        self, container: Any, provider: di.Provider[Any], value: di.Provider[Any]
    ) -> None:
        """Withdraw the value, and forget what was built of it."""
        _withdraw(provider, value)
        for singleton in _singletons(container):
            if singleton not in self._built and provider in set(singleton.traverse()):
                singleton.reset()


def override_class(
    declared: Any, mapping: Any, names: Mapping[str, Any], *, isolated: bool = False
) -> overrides.Override:
    """Override a container class until the returned override ends.

    Raises:
        UnknownProviderError: A name or a provider the class does not declare.
    """
    if containers.is_container(mapping):
        return ClassByClassOverride(declared, mapping)
    known = graph.paths(declared)
    paths = {_path(key, known): value for key, value in (mapping or {}).items()}
    replacements = overrides.replacements_for(declared, paths, names)
    return ClassOverride(declared, replacements, isolated=isolated)


def follow(container: Any, source: Any, given: frozenset[str] = frozenset()) -> None:
    """Have a container that was just made follow the overrides of its class, now and later.

    Args:
        container: The container.
        source: What it is a copy of: its class, or another container.
        given: Names of providers its maker replaced; those stand.
    """
    declared = container.declarative_parent
    if declared is None:
        return
    with _lock:
        _own(declared, "_made", WeakSet).add(container)
        active = [one for one in (*_followed_by(declared), *_isolated.get()) if one.is_active]
        copies = list(_copies(source, container)) if active else []
        for one in active:
            one.reach(container, copies, given)


def _path(key: Any, known: Mapping[di.Provider[Any], str]) -> str:
    if isinstance(key, str):
        return key
    if key not in known:
        raise UnknownProviderError(str(key), known.values())
    return known[key]


def _followed(declared: Any) -> list[Followed]:
    found: list[Followed] = _own(declared, "_followed", list)
    return found


def _followed_by(declared: Any) -> Iterator[Followed]:
    for base in declared.__mro__:
        yield from base.__dict__.get("_followed", ())


def _forget(declared: Any, override: Any) -> None:
    if override in _followed(declared):
        _followed(declared).remove(override)
    _isolated.set(tuple(one for one in _isolated.get() if one is not override))


def _own(declared: Any, name: str, kind: Any) -> Any:
    if name not in declared.__dict__:
        setattr(declared, name, kind())
    return declared.__dict__[name]


def _containers_of(declared: Any) -> Iterator[Any]:
    yield from list(declared.__dict__.get("_made", ()))
    for inheriting in declared.__subclasses__():
        yield from _containers_of(inheriting)


def _pairs(
    source: Any, container: Any, given: frozenset[str] = frozenset()
) -> Iterator[tuple[di.Provider[Any], di.Provider[Any]]]:
    """Each provider of the source with the container's own of the same name, in parts too."""
    for name, provider in source.providers.items():
        own = container.providers.get(name)
        if own is None or name in given or isinstance(provider, di.Self):
            continue
        yield provider, own
        if isinstance(own, di.Container) and isinstance(provider, di.Container):
            yield from _pairs(provider, own)


def _copies(source: Any, container: Any) -> Iterator[Copied]:
    for provider, own in _pairs(source, container):
        for value, copied in zip(provider.overridden, own.overridden, strict=False):
            yield Copied(value, own, copied)


def _in_place(made: overrides.Override) -> list[di.Provider[Any]]:
    """The stand-ins of plain providers, which are overridden in place and so copied with them."""
    return list(made._foreign.values())  # noqa: SLF001 - the override's own record


def _withdraw(provider: di.Provider[Any], value: di.Provider[Any]) -> None:
    if value in provider.overridden:
        overrides._withdraw(provider, value)  # noqa: SLF001 - the same rule as for containers


def _singletons(container: Any) -> list[Any]:
    found: Iterator[Any] = container.traverse(types=[di.BaseSingleton])
    return list(found)


def _is_built(singleton: Any) -> bool:
    return isinstance(singleton, Layered) and bool(getattr(singleton, "built", tuple)())
