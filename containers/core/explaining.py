"""Explaining one provider: what it is, why, from where, what it needs and who needs it."""

from collections.abc import Collection, Iterator, Mapping
from contextvars import Context
from dataclasses import dataclass
from typing import Any, NamedTuple

from dependency_injector import providers as di

from containers.core import describing, graph, injections, layers, places
from containers.core.choices import Choice, choice_at
from containers.core.finding import find
from containers.core.providers import Managed, Singleton


@dataclass(frozen=True, slots=True)
class Need:
    """Something a provider depends on, and what that depends on.

    Attributes:
        path: The provider.
        lifetime: In a word, such as `singleton`.
        arguments: The parameters it is given as.
        needs: What it needs itself; empty where the tree has told it above already.
        is_told_above: Whether its own needs stand further up in the tree, as in a circle.
    """

    path: str
    lifetime: str
    arguments: tuple[str, ...] = ()
    needs: tuple["Need", ...] = ()
    is_told_above: bool = False


@dataclass(frozen=True, slots=True)
class Replacement:
    """What stands in for a provider now.

    Attributes:
        by: The class or function behind the stand-in, or its path in the container.
        how: `container.override` or `provider.override`.
        is_isolated: Whether only this task or thread, and those it starts, see it.
    """

    by: str
    how: str
    is_isolated: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of a provider without calling it; printing it gives all of it as text.

    Attributes:
        path: The dotted path in the container.
        lifetime: In a word or two: `singleton`, `scoped`, `managed`, `factory`, `resource`, ...
        target: The qualified name of what makes its objects; empty where nothing does.
        target_place: Its file and line; empty for builtins.
        declared_at: File and line of the provider's declaration; empty where there is none, as
            for instances that settings name.
        port: What its dependants expect.
        is_async: Whether a call gives an awaitable.
        is_built: Whether its object exists; None where that is not one object or is not known.
        is_started: Whether the container has started it; None where it has no life of its own.
        overridden_by: What stands in for it, the one that answers last.
        choice: Why a part is of its kind, told by the settings.
        needs: What it depends on, as a tree.
        used_by: The paths of those that depend on it directly.
        holds: For a container or a group, the paths in it.
    """

    path: str
    lifetime: str
    target: str = ""
    target_place: str = ""
    declared_at: str = ""
    port: str = ""
    is_async: bool = False
    is_built: bool | None = None
    is_started: bool | None = None
    overridden_by: tuple[Replacement, ...] = ()
    choice: Choice | None = None
    needs: tuple[Need, ...] = ()
    used_by: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()

    def __str__(self) -> str:
        facts = [(name, text) for name, text in _facts(self) if text]
        wide = max(len(name) for name, _ in facts) + 2
        lines = [f"{self.path} ({self.lifetime})"]
        for name, text in facts:
            first, *others = text.splitlines()
            lines.append(f"  {name:<{wide}}{first}")
            lines += [f"  {'':<{wide}}{other}" for other in others]
        return "\n".join(lines)


#: What the target of a provider is that makes nothing.
_MADE = {"object": "instance of", "container": "declared as"}


def explain(container: Any, provider: Any, started: Collection[str] = ()) -> Explanation:
    """What is known of a provider; nothing is built or connected for it.

    Args:
        container: The container, for a dotted name also its class.
        provider: A dotted name, a provider, or one of the container's class.
        started: The paths that the container has started.

    Raises:
        UnknownProviderError: The container has no such provider; lists those it has.
    """
    found = find(container, provider)
    known = graph.paths(container)
    path = known.get(found) or describing.stand_in_name(found)
    target = describing.target_of(found)
    return Explanation(
        path=path,
        lifetime=describing.lifetime_of(found),
        target=describing.target_name(found),
        target_place=places.place_of(target) if target is not None else "",
        declared_at=places.declaration_of(container, path),
        port=describing.port_name(found),
        is_async=graph.is_async(found),
        is_built=_is_built(found),
        is_started=_is_started(found, path, started),
        overridden_by=tuple(_replacements(found, known)),
        choice=choice_at(container, path),
        needs=_Tree(known).needs_of(found),
        used_by=tuple(_users(found, known)),
        holds=tuple(_inside(found, path)),
    )


class _Tree:
    """The needs of one provider, each told in full where it is met first."""

    def __init__(self, known: Mapping[di.Provider[Any], str]) -> None:
        self._known = known
        self._told: set[di.Provider[Any]] = set()

    def needs_of(self, provider: di.Provider[Any]) -> tuple[Need, ...]:
        """Depth first, and without recursion: chains may be long."""
        branches = [self._branch(provider, ())]
        while True:
            branch = branches[-1]
            other, arguments = next(branch.waiting, (None, ()))
            if other is not None and other in self._told:
                branch.needs.append(self._repeated(other, arguments))
            elif other is not None:
                branches.append(self._branch(other, arguments))
            elif len(branches) > 1:
                branches.pop()
                branches[-1].needs.append(self._need(branch))
            else:
                return tuple(branch.needs)

    def _branch(self, provider: di.Provider[Any], arguments: tuple[str, ...]) -> "_Branch":
        self._told.add(provider)
        waiting = iter(injections.needs(provider, self._known).items())
        return _Branch(provider, arguments, waiting, [])

    def _need(self, branch: "_Branch") -> Need:
        lifetime = describing.lifetime_of(branch.provider)
        return Need(self._path(branch.provider), lifetime, branch.arguments, tuple(branch.needs))

    def _repeated(self, provider: di.Provider[Any], arguments: tuple[str, ...]) -> Need:
        has_more = bool(injections.needs(provider, self._known))
        lifetime = describing.lifetime_of(provider)
        return Need(self._path(provider), lifetime, arguments, is_told_above=has_more)

    def _path(self, provider: di.Provider[Any]) -> str:
        return self._known.get(provider) or describing.stand_in_name(provider)


class _Branch(NamedTuple):
    """A provider whose needs are being told: those that wait, and those that are done."""

    provider: di.Provider[Any]
    arguments: tuple[str, ...]
    waiting: Iterator[tuple[di.Provider[Any], tuple[str, ...]]]
    needs: list[Need]


def _is_built(provider: di.Provider[Any]) -> bool | None:
    if isinstance(provider, Singleton):
        return bool(provider.built())
    return provider.initialized if isinstance(provider, di.Resource) else None


def _is_started(provider: di.Provider[Any], path: str, started: Collection[str]) -> bool | None:
    """A resource may also have been started by the first who asked for it."""
    if isinstance(provider, di.Resource) and provider.initialized:
        return True
    return path in started if isinstance(provider, (Managed, di.BaseResource)) else None


def _replacements(
    provider: di.Provider[Any], known: Mapping[di.Provider[Any], str]
) -> Iterator[Replacement]:
    everywhere = Context().run(layers.active)  # a new context has no isolated ones
    for stand_in in injections.stand_ins(provider):
        name = known.get(stand_in) or describing.stand_in_name(stand_in)
        layered = [
            layer for layer in layers.active() if layer.replacements.get(provider) is stand_in
        ]
        how = "container.override" if layered else "provider.override"
        is_isolated = bool(layered) and not any(layer in everywhere for layer in layered)
        yield Replacement(name, how, is_isolated)


def _users(provider: di.Provider[Any], known: Mapping[di.Provider[Any], str]) -> Iterator[str]:
    """The named providers that need it, also through providers that have no name."""
    for user, path in known.items():
        waiting, seen = list(injections.needs(user, known)), {user}
        while waiting:
            one = waiting.pop()
            if one is provider:
                yield path
                break
            if one not in known and one not in seen:
                seen.add(one)
                waiting += injections.needs(one, known)


def _inside(provider: Any, path: str) -> Iterator[str]:
    yield from (f"{path}.{name}" for name in describing.members_of(provider))


def _facts(told: Explanation) -> Iterator[tuple[str, str]]:
    yield _MADE.get(told.lifetime, "made by"), _placed(told.target, told.target_place)
    yield "declared", told.declared_at
    yield "gives", told.port if told.port != told.target else ""
    if told.choice is not None:
        yield "kind", f"{told.choice.kind}, from {told.choice.origin}: {told.choice.reason}"
        others = [kind for kind in told.choice.kinds if kind != told.choice.kind]
        yield "other kinds", ", ".join(others)
        yield "policy", told.choice.policy
    yield "to be awaited", "" if told.holds else "yes" if told.is_async else "no"
    yield "now", ", ".join(_state(told))
    yield "overridden", "\n".join(map(_replaced, reversed(told.overridden_by)))
    yield "holds", "\n".join(told.holds)
    yield "needs", "\n".join(_drawn(told.needs)) or ("" if told.holds else "nothing")
    yield "used by", "\n".join(told.used_by) or ("" if told.holds else "nothing")


def _placed(name: str, place: str) -> str:
    return f"{name} ({place})" if place else name


def _state(told: Explanation) -> Iterator[str]:
    if told.is_built is not None:
        yield "built" if told.is_built else "not built"
    if told.is_started is not None:
        yield "started" if told.is_started else "not started"


def _replaced(one: Replacement) -> str:
    reach = ", seen by this task only" if one.is_isolated else ""
    return f"by {one.by} ({one.how}{reach})"


def _drawn(needs: tuple[Need, ...]) -> Iterator[str]:
    waiting = [(need, "") for need in reversed(needs)]
    while waiting:
        need, indent = waiting.pop()
        names = [name for name in need.arguments if name != need.path.rpartition(".")[2]]
        given = f" as {', '.join(names)}" if names else ""
        above = ", see above" if need.is_told_above else ""
        yield f"{indent}{need.path}{given} ({need.lifetime}{above})"
        waiting += ((other, f"{indent}  ") for other in reversed(need.needs))
