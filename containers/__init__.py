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

if TYPE_CHECKING:
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
    from containers.application import Container
    from containers.core.container import DeclarativeContainer, DynamicContainer
    from containers.core.functions import (
        aget,
        check,
        explain,
        graph,
        health,
        override,
        scope,
        start,
        stop,
        unwire,
        wire,
    )
    from containers.core.injecting import inject
    from containers.core.scopes import Scope
    from containers.core.services import DIContainer, ServiceDescriptor, ServiceLifetime, service
    from containers.default import default_container, set_default

#: Where each name lives; imported when first asked for, so that a program that only loads a
#: plugin of ours, as every run of pytest does, is not kept waiting.
_HOMES = {
    "Closing": "dependency_injector.wiring",
    "Container": "containers.application",
    "DIContainer": "containers.core.services",
    "DeclarativeContainer": "containers.core.container",
    "DynamicContainer": "containers.core.container",
    "Provide": "dependency_injector.wiring",
    "Scope": "containers.core.scopes",
    "ServiceDescriptor": "containers.core.services",
    "ServiceLifetime": "containers.core.services",
    "WiringConfiguration": "dependency_injector.containers",
    "aget": "containers.core.functions",
    "as_int": "dependency_injector.wiring",
    "check": "containers.core.functions",
    "copy": "dependency_injector.containers",
    "default_container": "containers.default",
    "explain": "containers.core.functions",
    "graph": "containers.core.functions",
    "health": "containers.core.functions",
    "inject": "containers.core.injecting",
    "invariant": "dependency_injector.wiring",
    "override": "containers.core.functions",
    "provided": "dependency_injector.wiring",
    "required": "dependency_injector.wiring",
    "scope": "containers.core.functions",
    "service": "containers.core.services",
    "set_default": "containers.default",
    "start": "containers.core.functions",
    "stop": "containers.core.functions",
    "unwire": "containers.core.functions",
    "wire": "containers.core.functions",
}

__all__ = [
    "Closing",
    "Container",
    "DIContainer",
    "DeclarativeContainer",
    "DynamicContainer",
    "Provide",
    "Scope",
    "ServiceDescriptor",
    "ServiceLifetime",
    "WiringConfiguration",
    "aget",
    "as_int",
    "check",
    "copy",
    "default_container",
    "explain",
    "graph",
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
    from importlib import import_module

    if name == "providers":
        return import_module("containers.providers")
    if name not in _HOMES:
        raise AttributeError(f"module 'containers' has no attribute '{name}'")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value
