"""Ask the process's default container for something, without knowing what a container is."""

import importlib.metadata
from functools import cache
from typing import Any

from infrastructure.errors import ConfigurationError

_GROUP = "switchgear.ambient"


def resolve(path: str) -> Any:
    """The object at a dotted path of the default container, such as `cache.default`.

    Raises:
        ConfigurationError: No distribution provides a resolver, so there is no default container.
    """
    return _resolver()(path)


@cache
def _resolver() -> Any:
    found = tuple(importlib.metadata.entry_points(group=_GROUP))
    if not found:
        raise ConfigurationError(
            f"nothing is registered under the entry point '{_GROUP}'",
            hint="Install the project (pip install -e .), or pass what is needed explicitly.",
        )
    return found[0].load()
