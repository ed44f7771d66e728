"""Factories that carry the marker, and a class of another module."""

from collections.abc import Iterator

from containers.core.services import service
from tests.containers.core.services.discovered.greeting import Letter
from tests.containers.core.services.models import Other, Plain

__all__ = ["Letter", "other", "plain"]


@service
def plain() -> Plain:
    return Plain()


@service(lifetime="transient")
def other() -> Iterator[Other]:
    yield Other()
