"""The containers' methods as functions, for a container whose providers have taken their names."""

from typing import Any

from dependency_injector import containers as di

from containers.core.class_overrides import override_class
from containers.core.container import Methods

scope = Methods.scope
aget = Methods.aget
check = Methods.check
start = Methods.start
stop = Methods.stop
health = Methods.health
explain = Methods.explain
graph = Methods.graph
wire = Methods.wire
unwire = Methods.unwire


def is_started(container: Any) -> bool:
    """Whether the container runs."""
    return Methods._lifecycle(container).is_started  # noqa: SLF001 - the container's own record


def override(
    container: Any, mapping: Any = None, /, *, isolated: bool = False, **names: Any
) -> Any:
    """Replace providers of a container, or of a container class, until the `with` block ends.

    With a container class alone it is dependency-injector's decorator, which overrides that class
    by the decorated one.
    """
    if isinstance(container, type) and mapping is None and not names:
        return di.override(container)
    if isinstance(container, type):
        return override_class(container, mapping, names, isolated=isolated)
    return Methods.override(container, mapping, isolated=isolated, **names)
