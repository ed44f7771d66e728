"""The door: containers that wire an application, from settings or from your own declarations."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import infrastructure

if Path(infrastructure.__file__ or "").parent.parent != Path(__file__).parent.parent:
    raise ImportError(
        f"another package named 'infrastructure' stands in front of this project's: "
        f"{infrastructure.__file__}. Rename it, or start with `python -P` so that the current "
        "folder does not come first."
    )

from dependency_injector.containers import WiringConfiguration, copy
from dependency_injector.wiring import (
    Closing,
    Provide,
    as_int,
    invariant,
    provided,
    required,
)

from containers import providers
from containers.core.container import DeclarativeContainer, DynamicContainer
from containers.core.functions import (
    aget,
    check,
    health,
    override,
    scope,
    start,
    stop,
    unwire,
    wire,
)
from containers.core.scopes import Scope
from containers.core.wiring import inject

if TYPE_CHECKING:
    from containers.application import Container
    from containers.core.services import DIContainer, ServiceLifetime, service
    from containers.default import default_container, set_default

#: Names whose machinery is imported when they are first asked for.
_LAZY = {
    "Container": "containers.application",
    "DIContainer": "containers.core.services",
    "ServiceLifetime": "containers.core.services",
    "service": "containers.core.services",
    "default_container": "containers.default",
    "set_default": "containers.default",
}

__all__ = [
    "Closing",
    "Container",
    "DIContainer",
    "DeclarativeContainer",
    "DynamicContainer",
    "Provide",
    "Scope",
    "ServiceLifetime",
    "WiringConfiguration",
    "aget",
    "as_int",
    "check",
    "copy",
    "default_container",
    "health",
    "inject",
    "invariant",
    "override",
    "provided",
    "providers",
    "required",
    "scope",
    "service",
    "set_default",
    "start",
    "stop",
    "unwire",
    "wire",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'containers' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)
