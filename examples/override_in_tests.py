"""A test replaces one part; what was built on it sees the replacement, and nothing stays behind."""

import asyncio

from containers import Container, DeclarativeContainer, providers
from infrastructure.llm import BaseLLMProvider, LLMFactory


class Greeter:
    """Application code: it knows the port, not the backend."""

    def __init__(self, llm: BaseLLMProvider) -> None:
        self.llm = llm

    async def greet(self, name: str) -> str:
        return (await self.llm.generate(f"Greet {name}")).content


class Application(DeclarativeContainer):
    """The host's own container, standing on the project's."""

    infrastructure = providers.DependenciesContainer()
    greeter = providers.Singleton(Greeter, llm=infrastructure.llm.default)


async def main() -> None:
    container = Container(profile="test")
    application = Application(infrastructure=container)
    before = application.greeter()
    print(await before.greet("Ada"))

    fake = LLMFactory.get_llm("scripted")
    fake.script("Good morning, Ada.")
    with container.override(llm=fake):
        print(await container.llm.default().generate("Greet Ada"))
    print(await before.greet("Ada"))


asyncio.run(main())
