"""Whatever goes wrong on the wire, a call ends in our tree and within its deadline."""

import asyncio
import time
import traceback
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from infrastructure.errors import (
    AuthenticationError,
    DataError,
    DeadlineExceededError,
    InfrastructureError,
    NotFoundError,
    OverloadedError,
    RejectedError,
    StreamTruncatedError,
    UnavailableError,
)
from infrastructure.llm import Chunk, ContextLengthError
from infrastructure.llm.providers.openai import OpenAIProvider, OpenAISettings
from infrastructure.servers.llama import LlamaServer
from tests.faults.openai_server import (
    DONE,
    DROP,
    STALL,
    OpenAIServer,
    Reply,
    completion,
    delta,
    event,
    finish,
    refused,
    stream,
)
from tests.faults.proxy import FaultProxy

KEY = "sk-very-secret"


def provider(url: str, **fields: float) -> OpenAIProvider:
    bounds = {
        "timeout_seconds": 5.0,
        "stall_seconds": 5.0,
        "connect_timeout_seconds": 5.0,
        **fields,
    }
    given = {"base_url": url, "api_key": KEY, "max_tokens": 40}
    settings = OpenAISettings.model_validate({**given, **bounds})
    return OpenAIProvider(settings, name="llm.default")


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(completion()) as server:
        yield server


@pytest.fixture
async def llm(server: OpenAIServer) -> AsyncIterator[OpenAIProvider]:
    async with provider(server.url) as llm:
        yield llm


@pytest.fixture
async def hasty(server: OpenAIServer) -> AsyncIterator[OpenAIProvider]:
    async with provider(server.url, timeout_seconds=0.2, stall_seconds=0.1) as llm:
        yield llm


@pytest.fixture
async def proxy(llama: LlamaServer) -> AsyncIterator[FaultProxy]:
    address = urlsplit(llama.url)
    async with FaultProxy("127.0.0.1", address.port or 0) as proxy:
        yield proxy


@pytest.fixture
async def proxied(proxy: FaultProxy) -> AsyncIterator[OpenAIProvider]:
    async with provider(f"http://127.0.0.1:{proxy.port}/v1") as llm:
        yield llm


async def read(llm: OpenAIProvider) -> list[Chunk]:
    return [piece async for piece in llm.stream_generate("Hi")]


class TestAnswersWithAStatus:
    @pytest.mark.parametrize(
        ("status", "code", "error"),
        [
            (400, "invalid_value", RejectedError),
            (400, "context_length_exceeded", ContextLengthError),
            (401, "invalid_api_key", AuthenticationError),
            (403, None, AuthenticationError),
            (404, "model_not_found", NotFoundError),
            (408, None, UnavailableError),
            (422, None, RejectedError),
            (429, "rate_limit_exceeded", OverloadedError),
            (429, "insufficient_quota", OverloadedError),
            (500, "server_error", UnavailableError),
            (503, None, UnavailableError),
            (529, "overloaded_error", UnavailableError),
        ],
    )
    async def test_status_and_code_choose_the_error(
        self, llm: OpenAIProvider, server: OpenAIServer, status: int, code: str | None, error: Any
    ) -> None:
        server.reply = refused(status, code)
        with pytest.raises(error) as whole:
            await llm.generate("Hi")
        with pytest.raises(error) as streamed:
            await read(llm)
        assert type(whole.value) is type(streamed.value) is error
        assert str(status) in str(whole.value)

    async def test_retry_after_in_seconds_is_kept(
        self, llm: OpenAIProvider, server: OpenAIServer
    ) -> None:
        server.reply = refused(429, None, retry_after="1.5")
        with pytest.raises(OverloadedError) as caught:
            await llm.generate("Hi")
        assert caught.value.retry_after_seconds == 1.5

    async def test_retry_after_as_a_date_is_kept_in_seconds(
        self, llm: OpenAIProvider, server: OpenAIServer
    ) -> None:
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
        server.reply = refused(429, None, retry_after=date)
        with pytest.raises(OverloadedError) as caught:
            await llm.generate("Hi")
        assert 60 < (caught.value.retry_after_seconds or 0) <= 90

    async def test_nothing_is_retried_behind_the_callers_back(
        self, llm: OpenAIProvider, server: OpenAIServer
    ) -> None:
        server.reply = refused(503, None)
        with pytest.raises(UnavailableError):
            await llm.generate("Hi")
        assert len(server.requests) == 1

    @pytest.mark.parametrize("status", [400, 401, 500])
    async def test_key_repeated_by_the_server_is_shown_nowhere(
        self, llm: OpenAIProvider, server: OpenAIServer, status: int
    ) -> None:
        server.reply = refused(status, None, f"the key {KEY} is not good")
        with pytest.raises(InfrastructureError) as caught:
            await llm.generate("Hi")
        shown = "".join(traceback.format_exception(caught.value))
        assert KEY not in shown + repr(caught.value) + repr(llm) + repr(llm.settings)

    async def test_error_page_of_a_gateway_is_unavailable_and_short(
        self, llm: OpenAIProvider, server: OpenAIServer
    ) -> None:
        page = b"<html><body>" + b"<p>Bad gateway</p>" * 500 + b"</body></html>"
        server.reply = Reply([page], 502, {"content-type": "text/html"})
        with pytest.raises(UnavailableError, match="Bad gateway") as caught:
            await llm.generate("Hi")
        assert len(str(caught.value)) < 500


class TestAnswersThatCannotBeRead:
    @pytest.mark.parametrize(
        "reply",
        [
            Reply([b"not json {"]),
            Reply([b"<html>hello</html>"], headers={"content-type": "text/html"}),
            Reply([b"[]"]),
            Reply([b'{"choices": []}']),
            Reply([b'{"choices": [{"message": null}]}']),
            Reply([b"null"]),
            Reply([]),
        ],
    )
    async def test_strange_body_is_a_data_error(
        self, llm: OpenAIProvider, server: OpenAIServer, reply: Reply
    ) -> None:
        server.reply = reply
        with pytest.raises(DataError):
            await llm.generate("Hi")

    async def test_corrupt_chunk_is_a_data_error(
        self, llm: OpenAIProvider, server: OpenAIServer
    ) -> None:
        server.reply = stream(delta("Hel"), b'data: {"choices": [{"del\n\n', finish(), DONE)
        with pytest.raises(DataError):
            await read(llm)

    async def test_html_instead_of_a_stream_is_a_data_error(
        self, llm: OpenAIProvider, server: OpenAIServer
    ) -> None:
        server.reply = Reply([b"<html>hello</html>"], headers={"content-type": "text/html"})
        with pytest.raises(DataError):
            await read(llm)


class TestStreamsThatBreak:
    async def test_end_without_a_reason_is_truncated(
        self, llm: OpenAIProvider, server: OpenAIServer
    ) -> None:
        server.reply = stream(delta("Hel"), delta("lo"), DONE)
        with pytest.raises(StreamTruncatedError, match=r"llm\.default"):
            await read(llm)

    async def test_what_came_before_the_end_was_passed_on(
        self, llm: OpenAIProvider, server: OpenAIServer
    ) -> None:
        server.reply = stream(delta("Hel"), delta("lo"), DONE)
        pieces = llm.stream_generate("Hi")
        assert [await anext(pieces), await anext(pieces)] == ["Hel", "lo"]
        with pytest.raises(StreamTruncatedError):
            await anext(pieces)

    async def test_cut_connection_is_unavailable(
        self, llm: OpenAIProvider, server: OpenAIServer
    ) -> None:
        server.reply = stream(delta("Hel"), DROP)
        with pytest.raises(UnavailableError):
            await read(llm)

    async def test_stall_ends_within_stall_seconds(
        self, hasty: OpenAIProvider, server: OpenAIServer
    ) -> None:
        server.reply = stream(delta("Hel"), STALL)
        began = time.monotonic()
        with pytest.raises(DeadlineExceededError, match=r"0\.1 s"):
            await read(hasty)
        assert time.monotonic() - began < 4

    async def test_silent_server_ends_within_the_timeout(
        self, hasty: OpenAIProvider, server: OpenAIServer
    ) -> None:
        server.reply = Reply([STALL])
        with pytest.raises(DeadlineExceededError, match=r"0\.2 s"):
            await hasty.generate("Hi")

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            ({"message": "busy", "code": "rate_limit_exceeded"}, OverloadedError),
            ({"message": "broken", "code": 500, "type": "server_error"}, UnavailableError),
            (
                {"message": "long", "code": 400, "type": "exceed_context_size_error"},
                ContextLengthError,
            ),
            ({"message": "odd"}, UnavailableError),
        ],
    )
    async def test_error_event_in_a_stream_is_sorted(
        self, llm: OpenAIProvider, server: OpenAIServer, body: dict[str, Any], error: Any
    ) -> None:
        server.reply = stream(delta("Hel"), event({"error": body}), DONE)
        with pytest.raises(error):
            await read(llm)

    async def test_next_call_works_after_a_broken_stream(
        self, llm: OpenAIProvider, server: OpenAIServer
    ) -> None:
        server.reply = stream(delta("Hel"), DROP)
        with pytest.raises(UnavailableError):
            await read(llm)
        server.reply = completion()
        assert (await llm.generate("Hi")).content == "Hello"


class TestRealServerBehindABadNetwork:
    async def test_refused_is_unavailable_and_recovers(
        self, proxied: OpenAIProvider, proxy: FaultProxy
    ) -> None:
        await proxied.generate("Hi", max_tokens=1)
        await proxy.refuse()
        with pytest.raises(UnavailableError, match=r"127\.0\.0\.1"):
            await proxied.generate("Hi", max_tokens=1)
        assert not (await proxied.health_check()).is_up
        await proxy.passes()
        assert (await proxied.generate("Hi", max_tokens=1)).content
        assert (await proxied.health_check()).is_up

    async def test_black_hole_ends_within_the_timeout(
        self, proxied: OpenAIProvider, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await proxied.generate("Hi", max_tokens=1)
        proxy.black_hole()
        hasty = proxied.settings.model_copy(update={"timeout_seconds": 0.2})
        with monkeypatch.context() as patch:
            patch.setattr(proxied, "settings", hasty)
            with pytest.raises(DeadlineExceededError):
                await proxied.generate("Hi", max_tokens=1)
        await proxy.passes()
        assert (await proxied.generate("Hi", max_tokens=1)).content

    @pytest.mark.parametrize("fault", ["reset_after", "half_reply"])
    @pytest.mark.parametrize("reply_bytes", [0, 100, 1200])
    async def test_reply_cut_anywhere_is_an_error_of_ours(
        self, proxied: OpenAIProvider, proxy: FaultProxy, fault: str, reply_bytes: int
    ) -> None:
        getattr(proxy, fault)(reply_bytes)
        with pytest.raises(UnavailableError):
            await read(proxied)
        await proxy.passes()
        assert (await proxied.generate("Hi", max_tokens=1)).content

    async def test_connections_lost_while_idle_cost_no_call(
        self, proxied: OpenAIProvider, proxy: FaultProxy
    ) -> None:
        await proxied.generate("Hi", max_tokens=1)
        await proxy.drop_connections()
        await asyncio.wait_for(_no_connections(proxy), 5)
        assert (await proxied.generate("Hi", max_tokens=1)).content


async def _no_connections(proxy: FaultProxy) -> None:
    while proxy.open_connections:  # noqa: ASYNC110 - the proxy has no event for it
        await asyncio.sleep(0.001)
