"""A web application: the container lives with it, and each request has its own session."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException
from starlette.testclient import TestClient

from containers import Container, Provide, inject, providers
from containers.integrations.fastapi import setup
from infrastructure.cache import CacheService
from infrastructure.llm import BaseLLMProvider, ScriptedProvider


class Audit:
    """What one request did; written down only if the request ends well."""

    def __init__(self) -> None:
        self.lines: list[str] = []


async def audit(kept: list[str]) -> AsyncIterator[Audit]:
    audit = Audit()
    yield audit
    kept.extend(audit.lines)  # not reached when the request raises


class Application(Container):
    """The project's parts, and the host's own beside them."""

    kept: Any = providers.Singleton(list)
    audit = providers.Scoped(audit, kept)


app = FastAPI()


@app.get("/answer")
@inject
async def answer(
    question: str,
    audit: Annotated[Audit, Provide["audit"]],
    cache: CacheService = Provide["cache.default"],
    llm: BaseLLMProvider = Provide["llm.default"],
) -> str:
    audit.lines.append(question)
    if not question.endswith("?"):
        raise HTTPException(422, "that is no question")

    async def ask() -> str:
        return (await llm.generate(question)).content

    return await cache.get_or_set(question, ask)


def main() -> None:
    container = Application(profile="test")
    setup(app, container)
    fake = ScriptedProvider()
    fake.script("It is a container.")
    with container.override(llm=fake), TestClient(app) as client:
        print(client.get("/answer", params={"question": "What is it?"}).json())
        print(client.get("/answer", params={"question": "Hm."}).json())
    print("kept:", container.kept())


main()
