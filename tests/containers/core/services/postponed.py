"""A module whose annotations are text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from containers.core.services import Key
from tests.containers.core.services.models import Greeter, Plain

if TYPE_CHECKING:
    from tests.containers.core.services.models import Other


class Postponed:
    def __init__(
        self, plain: Plain, greeter: Annotated[Greeter, Key("en")], more: Plain | None = None
    ) -> None:
        self.found = (plain, greeter, more)


class Broken:
    def __init__(self, other: Other) -> None: ...
