"""Classes that carry the marker."""

from containers.core.services import ServiceLifetime, service
from tests.containers.core.services.models import Greeter


@service(interface=Greeter, key="de")
class German(Greeter):
    def greet(self) -> str:
        return "hallo"


class Bavarian(German):
    """Inherits the class, not the marker."""


@service(lifetime=ServiceLifetime.SCOPED)
class Letter:
    def __init__(self, size: int = 1) -> None:
        self.size = size


Brief = Letter
