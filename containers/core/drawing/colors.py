"""One color a family of lifetimes, for light and for dark pages."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Color:
    """The line and the ground of a node, on a light page and on a dark one."""

    line: str
    ground: str
    dark_line: str
    dark_ground: str


_BLUE = Color("#2563eb", "#eff4ff", "#7aa7ff", "#172344")
_VIOLET = Color("#7c3aed", "#f5f0ff", "#b99aff", "#261b42")
_TEAL = Color("#0d7f75", "#e9f8f6", "#4fd1c0", "#0f2d2b")
_GREEN = Color("#3f7d16", "#f0f8e8", "#9bd46a", "#1d2c12")
_AMBER = Color("#b45309", "#fff6e6", "#f5b453", "#35230b")
_GRAY = Color("#64748b", "#f5f7fa", "#94a3b8", "#1f2733")

_COLORS = {
    "managed": _BLUE,
    "singleton": _VIOLET,
    "thread-local singleton": _VIOLET,
    "context-local singleton": _VIOLET,
    "resource": _TEAL,
    "scoped": _GREEN,
    "factory": _AMBER,
    "callable": _AMBER,
    "coroutine": _AMBER,
}


def color_of(lifetime: str) -> Color:
    """The color of a lifetime; what only hands on is gray."""
    return _COLORS.get(lifetime, _GRAY)


def class_of(lifetime: str) -> str:
    """The lifetime as a name for style sheets."""
    return re.sub(r"[^a-z0-9]", "_", lifetime.lower())
