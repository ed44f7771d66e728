"""Where the scopes of a container keep their objects: one place for each scoped provider."""

from typing import Any

from containers.core import ledger

#: Stands where a scope has made nothing yet; None is an object too.
MISSING: Any = object()

#: Stands where a task is making something.
BUSY: Any = object()


class Layout:
    """The places of one container's scopes, as its declaration was when it was laid out.

    Attributes:
        members: Every provider the container has or reaches.
        index: The place of each scoped one.
        blank: What a scope begins with.
    """

    def __init__(self, container: Any) -> None:
        self.members: frozenset[Any] = frozenset(container.traverse())
        scoped = [one for one in self.members if getattr(type(one), "is_scoped", False)]
        self.index = {provider: place for place, provider in enumerate(scoped)}
        self.blank = [MISSING] * len(scoped)


def layout_of(container: Any) -> Layout:
    """The container's layout, made when it is first asked for."""
    layout: Layout | None = container._layout  # noqa: SLF001 - kept on the container for this module
    if layout is None:
        layout = container.__dict__["_layout"] = Layout(container)
    return layout


def has(container: Any, provider: Any) -> bool:
    """Whether the container has the provider, or reaches it; what was added since counts."""
    known = layout_of(container).members
    if provider in known:
        return True
    layout = Layout(container)
    if layout.members != known:
        container.__dict__["_layout"] = layout
        ledger.changed(known)
    return provider in layout.members
