"""A test replaces one part; what was built on it sees the replacement, and nothing stays behind."""

import asyncio

from containers import Container, providers
from infrastructure.llm import BaseLLMProvider, ScriptedProvider


class Greeter:
    """Application code: it knows the port, not the backend."""

    def __init__(self, llm: BaseLLMProvider) -> None:
        self.llm = llm

    async def greet(self, name: str) -> str:
        return (await self.llm.generate(f"Greet {name}")).content


class Application(Container):
    """The host's container: the project's parts, and its own services beside them."""

    greeter = providers.Singleton(Greeter, llm=Container.llm.default)


async def main() -> None:
    container = Application(profile="test")
    real = container.greeter()
    print("outside:", await real.greet("Ada"))

    fake = ScriptedProvider()
    fake.script("Good morning, Ada.")
    with container.override(llm=fake):
        print("inside: ", await container.greeter().greet("Ada"))

    print("after:  ", await real.greet("Ada"), container.greeter() is real)


asyncio.run(main())
