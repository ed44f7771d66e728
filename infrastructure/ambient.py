"""Ask the process's default container for something, without knowing what a container is."""

import importlib.metadata
from functools import cache
from typing import Any

from infrastructure.errors import ConfigurationError
from infrastructure.registry import registry_of

_GROUP = "switchgear.ambient"


def resolve(path: str) -> Any:
    """The object at a dotted path of the default container, such as `cache.default`.

    Raises:
        ConfigurationError: No distribution provides a resolver, so there is no default container.
    """
    return _resolver()(path)


def block_of_kind(part: str, kind: str) -> Any:
    """The settings block a kind stands for when nothing else is named.

    It is `default` if it has that kind, else the first instance that has, else the defaults of
    the kind's own model.

    Args:
        part: Such as `cache`.
        kind: Such as `redis`.

    Raises:
        UnknownKindError: The part has no such kind.
        MissingExtraError: The kind's vendor package is not installed.
    """
    path = path_of_kind(part, kind)
    if path is None:
        return registry_of(part).resolve(kind).Settings()
    return getattr(resolve("settings"), part).blocks()[path]


def path_of_kind(part: str, kind: str) -> str | None:
    """Where the settings have a block of that kind: `default`, `instances.<name>`, or None."""
    blocks = getattr(resolve("settings"), part).blocks()
    return next((path for path, block in blocks.items() if block.kind == kind), None)


@cache
def _resolver() -> Any:
    found = tuple(importlib.metadata.entry_points(group=_GROUP))
    if not found:
        raise ConfigurationError(
            f"nothing is registered under the entry point '{_GROUP}'",
            hint="Install the project (pip install -e .), or pass what is needed explicitly.",
        )
    return found[0].load()
