"""A mail service: declared once, replaced for the tests by inheritance and by copying."""

from dependency_injector import containers, providers


class Smtp:
    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port

    def send(self, to: str) -> str:
        return f"{self.host}:{self.port} -> {to}"


class Printed(Smtp):
    def __init__(self) -> None:
        super().__init__("paper", 0)


class Campaign:
    def __init__(self, mailer: Smtp, names: list[str]) -> None:
        self.mailer = mailer
        self.names = names

    def run(self) -> list[str]:
        return [self.mailer.send(name) for name in self.names]


class Mail(containers.DeclarativeContainer):
    mailer = providers.Singleton(Smtp, host="relay", port=25)
    names = providers.List("ada", "bob")
    campaign = providers.Factory(Campaign, mailer, names)


@containers.copy(Mail)
class TestMail(Mail):
    mailer = providers.Singleton(Printed)


def program_a_campaign():
    mail = Mail()
    assert mail.campaign().run() == ["relay:25 -> ada", "relay:25 -> bob"]
    mail.mailer.reset()
    mail.mailer.set_kwargs(host="r", port=1)
    assert mail.campaign().run()[0] == "r:1 -> ada"
    return mail


def program_a_campaign_under_test():
    test = TestMail()
    assert test.campaign().run() == ["paper:0 -> ada", "paper:0 -> bob"]
    assert Mail().campaign().mailer.host == "relay"
    return test
