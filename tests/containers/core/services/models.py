"""Services of the tests: ports, what implements them, and what needs them."""

from abc import ABC, abstractmethod
from typing import Annotated, Generic, Protocol, TypeVar

from containers.core.services import Key, ServiceProvider

T = TypeVar("T")


class Greeter(ABC):
    @abstractmethod
    def greet(self) -> str: ...


class English(Greeter):
    def greet(self) -> str:
        return "hello"


class French(Greeter):
    def greet(self) -> str:
        return "bonjour"


class Clock(Protocol):
    def now(self) -> int: ...


class FixedClock:
    def now(self) -> int:
        return 7


class Plain: ...


class Other: ...


class Unknown: ...


class User: ...


class Repository(Generic[T]): ...


class MemoryRepository(Repository[T]): ...


class UserRepository(Repository[User]): ...


class NeedsPlain:
    def __init__(self, plain: Plain) -> None:
        self.plain = plain


class NeedsProvider:
    def __init__(self, provider: ServiceProvider) -> None:
        self.provider = provider


class Mixed:
    def __init__(self, plain: Plain, greeters: list[Greeter]) -> None:
        self.plain = plain
        self.greeters = greeters


class Chooses:
    def __init__(
        self,
        english: Annotated[Greeter, Key("en")],
        french: Annotated[Greeter, Key("fr")],
    ) -> None:
        self.greetings = [english.greet(), french.greet()]


class Closing:
    """Writes its name to a log when it ends."""

    log: list[str]
    name = "closing"

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def close(self) -> None:
        self.log.append(self.name)


class First(Closing):
    name = "first"


class Second(Closing):
    name = "second"

    def __init__(self, log: list[str], first: First) -> None:
        super().__init__(log)
        self.first = first


class Third(Closing):
    name = "third"

    def __init__(self, log: list[str], second: Second) -> None:
        super().__init__(log)
        self.second = second
