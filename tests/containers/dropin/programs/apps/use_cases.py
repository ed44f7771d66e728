"""Use cases over adapters of two worlds, the test's and the real one."""

from abc import ABC, abstractmethod

from dependency_injector import containers, providers


class Sender(ABC):
    @abstractmethod
    def send(self, to: str, text: str) -> str: ...


class Post(Sender):
    def send(self, to: str, text: str) -> str:
        return f"posted {text} to {to}"


class Echo(Sender):
    def send(self, to: str, text: str) -> str:
        return f"echo {to}"


class SignUp:
    def __init__(self, sender: Sender) -> None:
        self.sender = sender

    def execute(self, name: str) -> str:
        return self.sender.send(name, "welcome")


class Adapters(containers.DeclarativeContainer):
    sender = providers.Singleton(Post)


class TestAdapters(containers.DeclarativeContainer):
    sender = providers.Singleton(Echo)


class AbstractUseCases(containers.DeclarativeContainer):
    sign_up = providers.AbstractFactory(SignUp)


class UseCases(containers.DeclarativeContainer):
    adapters = providers.DependenciesContainer()
    sign_up = providers.Factory(SignUp, sender=adapters.sender)


@containers.override(AbstractUseCases)
class Overriding(containers.DeclarativeContainer):
    sign_up = providers.Factory(SignUp, sender=providers.Singleton(Echo))


def program_one_use_case_in_two_worlds():
    real, test = UseCases(adapters=Adapters()), UseCases(adapters=TestAdapters())
    assert real.sign_up().execute("ada") == "posted welcome to ada"
    assert test.sign_up().execute("ada") == "echo ada"
    return real, test


def program_an_abstract_container_is_filled_by_a_decorator():
    cases = AbstractUseCases()
    assert cases.sign_up().execute("bob") == "echo bob"
    AbstractUseCases.reset_override()
    return cases
