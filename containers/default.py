"""The process's default container, for code that was handed none."""

import threading
from typing import Any

from containers.application import Container

_lock = threading.Lock()
_default: list[Any] = []
_given: list[Any] = []


def default_container() -> Any:
    """The default container, made from the environment when first asked for."""
    with _lock:
        if not _default:
            _default.append(Container())
        return _default[0]


def set_default(container: Any) -> None:
    """Make this the default container; None forgets it, and the next use makes a new one."""
    with _lock:
        _default[:] = _given[:] = [] if container is None else [container]


def given_default() -> Any:
    """The container `set_default` was given; None where none was, whatever was made since."""
    return _given[0] if _given else None


def resolve(path: str) -> Any:
    """The object at a dotted path of the default container; `settings` gives the settings."""
    return default_container().get(path)
