"""Services whose objects come from providers of a declarative container."""

import contextlib
import inspect
import typing
from collections import abc
from collections.abc import Hashable, Iterator
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import ref

from dependency_injector import providers as di

from containers.core import finding, graph, scopes
from containers.core.endings import end_async_context, end_context
from containers.core.ports import port_of
from containers.core.services.ends import Ending
from containers.core.services.plans import Candidate, Facts, Named
from containers.core.services.registrations import ServiceLifetime
from containers.errors import ServiceError

if TYPE_CHECKING:
    from containers.core.services.planning import Planner
    from containers.core.services.providers import ServiceScope

_BY_CONTEXT = (di.ThreadLocalSingleton, di.ContextLocalSingleton, di.ContextLocalResource)
_YIELDING = {abc.AsyncGenerator, abc.AsyncIterator, abc.Generator, abc.Iterator}
#: Too many things are these; who wants one as a service registers it.
_UNSPECIFIC = (str, bytes, int, float, complex, bool, type(None), dict, list, tuple, set)


@dataclass(frozen=True, slots=True)
class Step:
    """A provider on the way from one service to another."""

    name: str


def lifetime_of(provider: di.Provider[Any]) -> ServiceLifetime:
    """How long a provider uses one object; what differs by thread or context is asked anew."""
    if _is_scoped(provider):
        return ServiceLifetime.SCOPED
    is_long = isinstance(provider, (di.BaseSingleton, di.BaseResource, di.Object))
    if is_long and not isinstance(provider, _BY_CONTEXT):
        return ServiceLifetime.SINGLETON
    return ServiceLifetime.TRANSIENT


def served_by(container: Any) -> Iterator[tuple[type, Hashable, di.Provider[Any]]]:
    """The providers of a container whose type can be told: with their path as key, and without.

    Without a key only the one provider of its type is asked for.
    """
    found = [(path, one, type_of(one)) for path, one in graph.walk(container)]
    told = [(path, one, made) for path, one, made in found if made is not None]
    types = [made for _, _, made in told]
    for path, provider, made in told:
        yield made, path, provider
        if types.count(made) == 1:
            yield made, None, provider


def type_of(provider: di.Provider[Any]) -> type | None:
    """The class of a provider's objects; None where it cannot be told, or says too little."""
    if isinstance(provider, (di.Container, di.Delegate, di.Configuration)):
        return None
    if hasattr(type(provider), "of"):  # the services of a container are its own
        return None
    made = type(provider.provides) if isinstance(provider, di.Object) else port_of(provider)
    if made is None:
        made = _yielded(getattr(provider, "provides", None))
    return made if isinstance(made, type) and made not in _UNSPECIFIC else None


def facts_of(planner: "Planner", candidate: Candidate, path: tuple[Named, ...]) -> Facts:
    """What is known of a provider: its own graph is walked, back into the services and all.

    Raises:
        CircularDependencyError: It comes to ask for itself.
    """
    provider = candidate.registration.provider
    visited = _Walk(planner).visit(provider, (*path, candidate))
    is_scoped = candidate.registration.lifetime is ServiceLifetime.SCOPED
    is_kept = candidate.registration.lifetime is ServiceLifetime.SINGLETON
    way = () if is_kept or visited is None else visited
    return Facts(
        is_async=graph.must_await(provider),
        scoped=(candidate,) if is_scoped else (candidate, *way) if way else (),
        layers=frozenset({candidate.registration.layer}) - {None},
        providers=frozenset({provider}),
    )


def services_behind(planner: "Planner", provider: di.Provider[Any]) -> tuple[Candidate, ...]:
    """The services that a provider comes to ask for, through its own container."""
    found: dict[Candidate, None] = {}
    seen = {provider}
    waiting = [provider]
    while waiting:
        for other in graph.dependencies(waiting.pop()):
            nodes = planner.nodes_of(other)
            found.update(dict.fromkeys(nodes or ()))
            if nodes is None and other not in seen:
                seen.add(other)
                waiting.append(other)
    return tuple(found)


class _Walk:
    """One walk over the providers that a provider calls."""

    def __init__(self, planner: "Planner") -> None:
        self._planner = planner
        self._seen: set[di.Provider[Any]] = set()

    def visit(
        self, provider: di.Provider[Any], path: tuple[Named, ...]
    ) -> tuple[Named, ...] | None:
        """The way to the first scoped thing that the provider would keep."""
        if provider in self._seen:
            return None
        self._seen.add(provider)
        found: tuple[Named, ...] | None = None
        for other in graph.dependencies(provider):
            way = self._way(other, path)
            found = found or way
        return found

    def _way(self, provider: Any, path: tuple[Named, ...]) -> tuple[Named, ...] | None:
        nodes = self._planner.nodes_of(provider)
        if nodes is not None:
            ways = [self._planner.facts(one, path).scoped for one in nodes]
            return next(filter(None, ways), None)
        step = Step(_name(provider))
        way = self.visit(provider, (*path, step))
        if lifetime_of(provider) is ServiceLifetime.SCOPED:
            return (step,)
        is_long = lifetime_of(provider) is ServiceLifetime.SINGLETON
        return None if is_long or not way else (step, *way)


def scope_for(asker: "ServiceScope", candidate: Candidate) -> scopes.Scope:
    """The declarative scope that belongs to a service scope: around it, or opened by it.

    One that is opened by it takes what both make, so that all of it ends in reverse.
    """
    registration = candidate.registration
    around = asker.outer
    while around is not None:
        if around.is_open and finding.has(around.container, registration.provider):
            return around
        around = around.parent
    if registration.container is None:
        return scopes.scope_of(registration.provider)
    if asker.opened is None:
        asker.opened = {}
    opened = asker.opened.get(registration.container)
    if opened is None:
        opened = asker.opened[registration.container] = _opened(asker, registration.container)
    return opened


def _opened(asker: "ServiceScope", container: Any) -> scopes.Scope:
    """Open it in a context of its own: it is current while it is asked, and not for the caller."""
    scope = scopes.new_scope(container)
    if asker.store.is_plain:
        copy_context().run(scope.__enter__)
    else:
        copy_context().run(_begun, scope.__aenter__())
    asker.store.ends(Ending("scope", scope, _leave, end_async_context), scope)
    asker.root.inside[scope] = ref(asker)
    if asker.outer is None and not asker.opened:
        asker.store.forward(scope)
    return scope


def _begun(entering: Any) -> None:
    """Entering a scope awaits nothing."""
    with contextlib.suppress(StopIteration):
        entering.send(None)


def _leave(scope: scopes.Scope, error: BaseException | None) -> None:
    if any(is_async for _, _, is_async in scope.endings or ()):
        raise ServiceError(
            "objects of a declarative container can only be ended by awaiting",
            hint="Use `async with`, or await aclose().",
        )
    end_context(scope, error)


def _is_scoped(provider: Any) -> bool:
    return bool(getattr(type(provider), "is_scoped", False))


def _name(provider: Any) -> str:
    target = getattr(provider, "provides", provider)
    return str(getattr(target, "__qualname__", None) or type(provider).__name__)


def _yielded(target: Any) -> Any:
    """What a generator function is annotated to yield."""
    if not inspect.isroutine(target):
        return None
    try:
        returned = typing.get_type_hints(target).get("return")
    except (NameError, TypeError):
        return None
    arguments = typing.get_args(returned)
    return arguments[0] if arguments and typing.get_origin(returned) in _YIELDING else None
