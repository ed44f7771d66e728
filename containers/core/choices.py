"""Why a part is what it is: told by containers that build from settings, asked by explanations."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from dependency_injector import providers as di


@dataclass(frozen=True, slots=True)
class Choice:
    """What settings made of one provider.

    Attributes:
        kind: The backend's kind, as the settings spell it.
        origin: The file and line, or the variable, that named it.
        reason: Why that one decided, in words.
        kinds: Every kind that could stand there, the chosen one too.
        policy: The resilience policy around its calls, and who named it; empty for none.
    """

    kind: str
    origin: str
    reason: str
    kinds: tuple[str, ...] = ()
    policy: str = ""


class Chooser(Protocol):
    """What the class of a container may offer, so that explanations know about its settings."""

    def choice_of(self, path: str) -> Choice | None:
        """Why the provider at this path inside the container is what it is; None if unknown."""


def choice_at(container: Any, path: str) -> Choice | None:
    """What the innermost container on the way to the provider tells about it."""
    for holder, inside in reversed(list(_holders(container, path))):
        chooser = getattr(type(holder), "choice_of", None)
        found: Choice | None = chooser(holder, inside) if chooser is not None else None
        if found is not None:
            return found
    return None


def _holders(container: Any, path: str) -> Iterator[tuple[Any, str]]:
    """Each container on the way to a path, and the rest of the path inside it."""
    while True:
        yield container, path
        name, _, path = path.partition(".")
        provider = container.providers.get(name)
        if not path or not isinstance(provider, di.Container):
            return
        container = provider.container
