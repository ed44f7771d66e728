"""Drawing the graph of a container: as text that other tools draw, as data, or as a picture."""

from collections.abc import Callable
from typing import Any

from containers.core.drawing.data import as_json
from containers.core.drawing.dot import as_dot
from containers.core.drawing.mermaid import as_mermaid
from containers.core.drawing.picture import Picture, picture_of
from containers.core.drawing.svg import as_svg
from containers.errors import ContainerError
from infrastructure.errors import did_you_mean

__all__ = ["FORMATS", "draw"]

FORMATS: dict[str, Callable[[Picture], str]] = {
    "dot": as_dot,
    "json": as_json,
    "mermaid": as_mermaid,
    "svg": as_svg,
}


def draw(container: Any, format: str, *, focus: Any = None) -> str:
    """The graph of a container's providers; the same container gives the same text.

    Raises:
        ContainerError: There is no such format.
        UnknownProviderError: `focus` names no provider of the container.
    """
    if format not in FORMATS:
        raise ContainerError(
            f"no format '{format}'",
            where="containers",
            hint=f"{did_you_mean(format, FORMATS)}Known: {', '.join(FORMATS)}.",
        )
    return FORMATS[format](picture_of(container, focus))
