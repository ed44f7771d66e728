"""A cache and a model, asked for by the path they have in the YAML."""

import asyncio

from containers import Container, Provide, inject
from infrastructure.cache import CacheService
from infrastructure.llm import BaseLLMProvider


@inject
async def answer(
    question: str,
    cache: CacheService = Provide["cache.default"],
    llm: BaseLLMProvider = Provide["llm.default"],
) -> str:
    async def ask() -> str:
        return (await llm.generate(question)).content

    return await cache.get_or_set(question, ask)


async def main() -> None:
    async with Container(profile="test").wire():
        print(await answer("What is a container?"))


asyncio.run(main())
