"""The same code on two profiles: what differs is in the YAML."""

import asyncio

from containers import Container


async def report(profile: str) -> None:
    container = Container(profile=profile)
    settings = container.settings()
    for part in ("cache", "db", "vector", "embeddings", "llm"):
        kind = getattr(settings, part).default.kind
        print(f"{profile:9} {part:10} {kind:9} {settings.origin(f'{part}.default.kind')}")


async def main() -> None:
    await report("embedded")
    await report("test")

    container = Container(profile="embedded")
    with container.use_profile("test"):
        await container.cache.default().set("greeting", "hello")
        print(await container.cache.default().get("greeting"))
    print(await container.cache.default().get("greeting"))


asyncio.run(main())
