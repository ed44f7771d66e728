"""Asynchronous injections: what awaits, and what is awaited."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from dependency_injector import containers, providers


class Line:
    def __init__(self, host: str) -> None:
        self.host = host


class Client:
    def __init__(self, line: Line, name: str = "") -> None:
        self.line = line
        self.name = name
        self.extra: Any = None


async def dial(host: str = "h") -> Line:
    await asyncio.sleep(0)
    return Line(host)


async def stream(host: str = "s") -> AsyncIterator[Line]:
    yield Line(host)


class Net(containers.DeclarativeContainer):
    line = providers.Factory(dial, host="net")
    client = providers.Factory(Client, line, name="c")


async def program_what_depends_on_it_must_be_awaited():
    net = Net()
    client = await net.client()
    assert (client.line.host, client.name) == ("net", "c")
    assert (await net.client()) is not client
    assert (await net.line(host="other")).host == "other"
    return net


async def program_a_caller_gives_arguments_to_it():
    net = Net()
    client = await net.client(name="given")
    assert client.name == "given"
    assert client.line.host == "net"
    return net


async def program_an_async_singleton_is_made_once():
    made: list[Line] = []

    async def once() -> Line:
        await asyncio.sleep(0)
        made.append(Line("once"))
        return made[-1]

    class Single(containers.DeclarativeContainer):
        line = providers.Singleton(once)
        client = providers.Singleton(Client, line)

    single = Single()
    found = await asyncio.gather(*(single.line() for _ in range(5)))
    assert len(made) == 1
    assert set(found) == {made[0]}
    client = await single.client()
    assert client is await single.client()
    assert client.line is made[0]
    single.line.reset()
    assert await single.line() is made[1]
    single.reset_singletons()
    assert await single.client() is not client
    return single


async def program_a_failed_async_construction_can_be_tried_again():
    tries: list[int] = []

    async def uncertain() -> Line:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("busy")
        return Line("second")

    line = providers.Singleton(uncertain)
    try:
        await line()
    except RuntimeError as error:
        assert str(error) == "busy"
    assert (await line()).host == "second"


async def program_an_async_resource_is_awaited_by_what_depends_on_it():
    class Streaming(containers.DeclarativeContainer):
        line = providers.Resource(stream, "res")
        client = providers.Singleton(Client, line=line)
        clients = providers.List(client, client)

    net = Streaming()
    client = await net.client()
    assert client.line.host == "res"
    assert await net.clients() == [client, client]
    await net.shutdown_resources()
    return net


async def program_an_async_dependency():
    class Part(containers.DeclarativeContainer):
        line = providers.Dependency(instance_of=Line)
        client = providers.Factory(Client, line)

    class Whole(containers.DeclarativeContainer):
        line = providers.Singleton(dial, "whole")
        part = providers.Container(Part, line=line)

    whole = Whole()
    client = await whole.part.client()
    assert client.line is await whole.line()
    assert (await whole.part.line()).host == "whole"
    return whole


async def program_async_attributes_and_collections():
    class Net2(Net):
        line = providers.Factory(dial, "two")
        client = providers.Factory(Client, line).add_attributes(extra=providers.Factory(dial, "ex"))
        both = providers.Dict(line=line, name="n")
        asked = providers.Callable(lambda line, n: (line.host, n), line, 3)

    net = Net2()
    assert (await net.client()).extra.host == "ex"
    both = await net.both()
    assert (both["line"].host, both["name"]) == ("two", "n")
    assert await net.asked() == ("two", 3)
    return net


async def program_what_an_async_provider_provides():
    class Net2(containers.DeclarativeContainer):
        line = providers.Singleton(dial, "two")
        host = providers.Callable(str.upper, line.provided.host)
        size = providers.Factory(list, line.provided.host.split.call("w"))

    net = Net2()
    assert await net.host() == "TWO"
    assert await net.size() == ["t", "o"]
    return net


async def program_an_async_provider_in_a_selector():
    class Net2(containers.DeclarativeContainer):
        config = providers.Configuration(default={"kind": "far"})
        line = providers.Selector(
            config.kind, near=providers.Factory(Line, "near"), far=providers.Factory(dial, "far")
        )
        aggregate = providers.Aggregate(far=providers.Factory(dial, "agg"))

    net = Net2()
    assert (await net.line()).host == "far"
    assert (await net.aggregate("far")).host == "agg"
    with net.config.kind.override("near"):
        assert (await net.line()).host == "near"
    return net


async def program_an_async_provider_overridden_by_a_value():
    net = Net()
    assert (await net.client()).line.host == "net"
    with net.line.override(Line("fake")):
        assert (await net.client()).line.host == "fake"
    assert (await net.client()).line.host == "net"
    return net


async def program_an_async_provider_overridden_by_another():
    net = Net()
    net.line.override(providers.Factory(dial, "other"))
    assert (await net.client()).line.host == "other"
    net.line.reset_override()
    assert (await net.client()).line.host == "net"
    return net


async def program_async_mode_can_be_set():
    line = providers.Factory(Line, "sync")
    assert line.is_async_mode_undefined()
    line()
    assert line.is_async_mode_disabled()
    line.reset_async_mode()
    line.enable_async_mode()
    assert line.is_async_mode_enabled()
    assert (await line()).host == "sync"
    line.disable_async_mode()
    assert line().host == "sync"


async def program_a_method_that_must_be_awaited_is_the_programs():
    class Service:
        async def work(self) -> str:
            return "done"

    class Net2(containers.DeclarativeContainer):
        service = providers.Singleton(Service)

    assert await Net2().service().work() == "done"


async def program_thread_and_context_local_singletons_of_coroutines():
    class Net2(containers.DeclarativeContainer):
        local = providers.ContextLocalSingleton(dial, "local")
        safe = providers.ThreadSafeSingleton(dial, "safe")

    net = Net2()
    assert (await net.local()).host == "local"
    assert await net.local() is await net.local()
    assert await net.safe() is await net.safe()
    return net
