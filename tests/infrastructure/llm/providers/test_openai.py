import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from infrastructure.errors import AuthenticationError, UnsupportedError
from infrastructure.llm import FinishReason, LLMRegistry, Usage
from infrastructure.llm.providers.openai import OpenAIProvider, OpenAISettings
from infrastructure.servers.llama import LlamaServer
from tests.contracts.llm_contract import LLMContract
from tests.faults.openai_server import (
    DONE,
    STALL,
    OpenAIServer,
    answered,
    completion,
    delta,
    finish,
    stream,
    usage,
)

WHOLE = (delta("Hel"), delta("lo"), finish(), usage(), DONE)


class TestContract(LLMContract):
    @pytest.fixture
    def provider(self, llama: LlamaServer) -> OpenAIProvider:
        return OpenAIProvider(
            OpenAISettings(base_url=llama.url, model=llama.model, temperature=0), name="llm.default"
        )


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(completion()) as server:
        yield server


@pytest.fixture
async def llm(server: OpenAIServer) -> AsyncIterator[OpenAIProvider]:
    settings = OpenAISettings(base_url=server.url, api_key=SecretStr("sk-secret"), model="gpt-test")
    async with OpenAIProvider(settings, name="llm.default") as llm:
        yield llm


async def test_usage_keeps_cached_tokens_inside_the_input(llm: OpenAIProvider) -> None:
    assert (await llm.generate("Hi")).usage == Usage(11, 3, 8)


async def test_answer_carries_the_vendors_own_object(llm: OpenAIProvider) -> None:
    assert (await llm.generate("Hi")).raw.id == "chatcmpl-1"


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", FinishReason.STOP),
        ("length", FinishReason.LENGTH),
        ("tool_calls", FinishReason.TOOL_CALLS),
        ("function_call", FinishReason.TOOL_CALLS),
        ("content_filter", FinishReason.CONTENT_FILTER),
        ("eos", FinishReason.STOP),
    ],
)
async def test_finish_reasons_are_ours(
    llm: OpenAIProvider, server: OpenAIServer, word: str, reason: FinishReason
) -> None:
    server.reply = stream(delta("x"), finish(word), DONE)
    *_, last = [piece async for piece in llm.stream_generate("Hi")]
    assert last.finish_reason is reason


async def test_usage_of_a_stream_comes_with_the_last_chunk(
    llm: OpenAIProvider, server: OpenAIServer
) -> None:
    server.reply = stream(*WHOLE)
    *pieces, last = [piece async for piece in llm.stream_generate("Hi")]
    assert pieces == ["Hel", "lo"]
    assert last.usage == Usage(11, 3, 8)
    assert server.requests[-1]["stream_options"] == {"include_usage": True}


async def test_options_reach_the_server(llm: OpenAIProvider, server: OpenAIServer) -> None:
    await llm.generate("Hi", model="other", max_tokens=5, temperature=0.7, stop=["\n"], seed=3)
    sent = server.requests[-1]
    assert sent == {
        "messages": [{"role": "user", "content": "Hi"}],
        "model": "other",
        "max_tokens": 5,
        "temperature": 0.7,
        "stop": ["\n"],
        "seed": 3,
    }


async def test_calls_share_one_connection(llm: OpenAIProvider, server: OpenAIServer) -> None:
    for _ in range(3):
        await llm.generate("Hi")
    assert server.accepted == 1


async def test_connections_are_bounded_by_the_settings(server: OpenAIServer) -> None:
    settings = OpenAISettings(base_url=server.url, max_connections=2)
    async with OpenAIProvider(settings) as llm:
        await asyncio.gather(*(llm.generate("Hi") for _ in range(8)))
    assert server.accepted <= 2


async def test_leaving_a_stream_early_closes_its_connection(
    llm: OpenAIProvider, server: OpenAIServer
) -> None:
    server.reply = stream(delta("Hel"), STALL)
    async for _ in llm.stream_generate("Hi"):
        break
    await asyncio.wait_for(server.left.wait(), 5)


async def test_cancelling_a_stream_closes_its_connection(
    llm: OpenAIProvider, server: OpenAIServer
) -> None:
    server.reply = stream(delta("Hel"), STALL)
    began = asyncio.Event()

    async def read() -> None:
        async for _ in llm.stream_generate("Hi"):
            began.set()

    reader = asyncio.create_task(read())
    await began.wait()
    reader.cancel()
    await asyncio.wait_for(server.left.wait(), 5)


async def test_cancelling_an_answer_closes_its_connection(
    llm: OpenAIProvider, server: OpenAIServer
) -> None:
    server.reply = stream(STALL)
    asked = asyncio.create_task(llm.generate("Hi"))
    while not server.requests:  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0)
    asked.cancel()
    await asyncio.wait_for(server.left.wait(), 5)


async def test_time_the_reader_takes_is_not_the_models(
    llm: OpenAIProvider, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = {"timeout_seconds": 0.3, "stall_seconds": 0.3}
    monkeypatch.setattr(llm, "settings", llm.settings.model_copy(update=changed))
    server.reply = stream(*WHOLE)
    stream_of_llm = llm.stream_generate("Hi")
    first = await anext(stream_of_llm)
    await asyncio.sleep(0.4)  # the time itself is the point
    assert first + "".join([piece async for piece in stream_of_llm]) == "Hello"


async def test_no_key_for_the_official_server_names_variable_and_block() -> None:
    llm = OpenAIProvider(OpenAISettings(), name="llm.default")
    with pytest.raises(AuthenticationError, match=r"llm\.default: .*OPENAI_API_KEY"):
        await llm.generate("Hi")


async def test_key_of_the_environment_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-environment")
    with pytest.raises(AuthenticationError):
        await OpenAIProvider(OpenAISettings()).connect()


async def test_other_servers_need_no_key(server: OpenAIServer) -> None:
    async with OpenAIProvider(OpenAISettings(base_url=server.url)) as llm:
        assert (await llm.generate("Hi")).content == "Hello"


async def test_given_http_client_is_used_and_left_open(server: OpenAIServer) -> None:
    async with httpx2.AsyncClient(headers={"x-mark": "mine"}) as http:
        async with OpenAIProvider(OpenAISettings(base_url=server.url), http_client=http) as llm:
            await llm.generate("Hi")
        assert not http.is_closed


async def test_own_http_client_is_closed(server: OpenAIServer) -> None:
    llm = OpenAIProvider(OpenAISettings(base_url=server.url))
    await llm.connect()
    http = llm._http
    assert http is not None
    await llm.disconnect()
    assert http.is_closed


async def test_plain_http_skips_the_certificates_and_trusts_nobody(llm: OpenAIProvider) -> None:
    transport: Any = llm._http and llm._http._transport
    context = transport._pool._ssl_context
    assert context.check_hostname
    assert context.get_ca_certs() == []


async def test_embeddings_come_in_the_order_of_the_texts(
    llm: OpenAIProvider, server: OpenAIServer
) -> None:
    items = [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1.0]}]
    server.reply = answered({"object": "list", "model": "e", "data": items, "usage": {}})
    assert await llm.embed(["a", "b"]) == [[1.0], [2.0]]
    assert server.requests[-1]["input"] == ["a", "b"]


async def test_no_texts_ask_nobody(llm: OpenAIProvider, server: OpenAIServer) -> None:
    assert await llm.embed([]) == []
    assert server.requests == []


async def test_health_says_whether_the_model_is_listed(
    llm: OpenAIProvider, server: OpenAIServer
) -> None:
    server.reply = answered({"object": "list", "data": [{"id": "gpt-test", "object": "model"}]})
    assert (await llm.health_check()).detail == "1 models, 'gpt-test' listed"


async def test_server_without_a_model_list_is_healthy(
    llm: OpenAIProvider, server: OpenAIServer
) -> None:
    server.reply = answered({"error": "what?"}, 404)
    assert (await llm.health_check()).is_up


async def test_kinds_without_embeddings_say_so() -> None:
    settings: Any = LLMRegistry.resolve("llamacpp").Settings
    with pytest.raises(UnsupportedError, match="embeddings"):
        await LLMRegistry.create(settings()).embed(["a"])
