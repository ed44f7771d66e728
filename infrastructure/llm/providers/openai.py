"""OpenAI, and every server that speaks its protocol, through the vendor's own SDK."""

import ssl
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import httpx2
import openai
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion
from pydantic import Field, SecretStr

from infrastructure.config.models.llm import LLMSettings
from infrastructure.connections.http_refusals import shortened
from infrastructure.errors import (
    AuthenticationError,
    DataError,
    DeadlineExceededError,
    InfrastructureError,
    NotFoundError,
    OverloadedError,
    UnavailableError,
)
from infrastructure.llm.base import BaseLLMProvider, LLMProvider, LLMRegistry
from infrastructure.llm.messages import Chunk, FinishReason, LLMResponse, Request, Usage
from infrastructure.llm.refusals import refusal
from infrastructure.resilience import deadline

_OFFICIAL_URL = "https://api.openai.com/v1"
_NO_KEY = "none"

#: The SDK does not check the shape of a body: another one shows as the last four.
_FAILURES = (
    openai.OpenAIError,
    httpx2.HTTPError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)

#: What a status-less error event in the middle of a stream stands for; anything else is 500.
_STREAM_STATUS = {
    "context_length_exceeded": 400,
    "insufficient_quota": 429,
    "invalid_request_error": 400,
    "rate_limit_exceeded": 429,
}


class OpenAISettings(LLMSettings):
    """A block with `kind: openai`."""

    kind: str = "openai"
    model: str = "gpt-4o-mini"
    embedding_model: str = "text-embedding-3-small"
    api_key: SecretStr | None = Field(
        default=None, description="Needed by OpenAI itself; other servers may do without."
    )
    base_url: str = Field(
        default=_OFFICIAL_URL, description="Another server that speaks the protocol; ends in /v1."
    )
    organization: str | None = None
    project: str | None = None
    max_connections: int = Field(default=100, gt=0, description="Bound on connections at once.")


@LLMRegistry.register(LLMProvider.OPENAI)
class OpenAIProvider(BaseLLMProvider):
    """One SDK client for each event loop; the SDK's own retries are off.

    Args:
        settings: The block.
        name: The provider path.
        http_client: Used instead of our own, and never closed here.
    """

    Settings: ClassVar[type[OpenAISettings]] = OpenAISettings
    settings: OpenAISettings

    def __init__(
        self,
        settings: OpenAISettings,
        *,
        name: str = "",
        http_client: httpx2.AsyncClient | None = None,
    ) -> None:
        super().__init__(settings, name=name)
        self._given_http = http_client
        self._http: httpx2.AsyncClient | None = None
        self._sdk: openai.AsyncOpenAI | None = None

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Vectors of `texts`, in order, from `embedding_model`."""
        if not texts:
            return []
        client = await self._client()
        async with deadline(self.settings.timeout_seconds, self.name):
            with self._translated():
                answer = await client.embeddings.create(
                    model=self.settings.embedding_model, input=list(texts), encoding_format="float"
                )
                vectors = {item.index: item.embedding for item in answer.data}
                return [vectors[index] for index in range(len(texts))]

    async def _open(self) -> None:
        self._http = None if self._given_http else self._new_http()
        self._sdk = openai.AsyncOpenAI(
            api_key=self._key(),
            admin_api_key="",  # given, so that the SDK does not look into the environment
            base_url=self.settings.base_url,
            max_retries=0,
            timeout=self._timeouts(),
            http_client=self._given_http or self._http,
        )
        self._sdk.organization = self.settings.organization
        self._sdk.project = self.settings.project

    async def _close(self) -> None:
        http, self._http, self._sdk = self._http, None, None
        if http is not None:
            await http.aclose()

    async def _ping(self) -> str:
        client = await self._client()
        try:
            with self._translated():
                known = {model.id for model in (await client.models.list()).data}
        except NotFoundError:
            return "answers, but lists no models"
        listed = "listed" if self.settings.model in known else "not listed"
        return f"{len(known)} models, '{self.settings.model}' {listed}"

    async def _answer(self, request: Request) -> LLMResponse:
        client = await self._client()
        with self._translated():
            answer = await client.chat.completions.create(**self._body(request))
            if not isinstance(answer, ChatCompletion) or not answer.choices:
                raise DataError("the answer is not a chat completion", where=self.name)
            choice = answer.choices[0]
            return LLMResponse(
                content=choice.message.content or "",
                model=answer.model or request.model,
                provider=self.settings.kind,
                finish_reason=_finish_reason(choice.finish_reason) or FinishReason.STOP,
                usage=_usage(answer.usage),
                raw=answer,
            )

    async def _stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        client = await self._client()
        with self._translated():
            stream = await client.chat.completions.create(
                **self._body(request), stream=True, stream_options={"include_usage": True}
            )
        reason: FinishReason | None = None
        usage: CompletionUsage | None = None
        try:
            with self._translated():
                async for event in stream:
                    usage = event.usage or usage
                    if event.choices:
                        choice = event.choices[0]
                        reason = _finish_reason(choice.finish_reason) or reason
                        if choice.delta.content:
                            yield Chunk(choice.delta.content)
        finally:
            await stream.close()
        if reason is not None:
            yield Chunk(finish_reason=reason, usage=_usage(usage))

    async def _client(self) -> openai.AsyncOpenAI:
        await self.connect()
        if self._sdk is None:
            raise UnavailableError("closed while a call began", where=self.name)
        return self._sdk

    def _key(self) -> str:
        key = self.settings.api_key.get_secret_value() if self.settings.api_key else ""
        if not key and self.settings.base_url.rstrip("/") == _OFFICIAL_URL:
            raise AuthenticationError(
                "there is no API key",
                where=self.name,
                hint="Set OPENAI_API_KEY, or api_key in this block, or base_url for another server",
            )
        return key or _NO_KEY

    def _new_http(self) -> httpx2.AsyncClient:
        """Our own connection pool; without TLS it skips loading the system's certificates."""
        is_plain = self.settings.base_url.startswith("http://")
        return httpx2.AsyncClient(
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if is_plain else True,
            limits=httpx2.Limits(
                max_connections=self.settings.max_connections,
                max_keepalive_connections=self.settings.max_connections,
            ),
            timeout=self._timeouts(),
        )

    def _timeouts(self) -> httpx2.Timeout:
        """Only connecting is bounded below us: the port bounds whole answers and stalls."""
        return httpx2.Timeout(None, connect=self.settings.connect_timeout_seconds)

    def _body(self, request: Request) -> dict[str, Any]:
        is_official = self.settings.base_url.rstrip("/") == _OFFICIAL_URL
        body: dict[str, Any] = {
            "model": request.model,
            "messages": request.turns,
            # the newest models of OpenAI know only the one name, most other servers the other
            "max_completion_tokens" if is_official else "max_tokens": request.max_tokens,
        }
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.stops:
            body["stop"] = request.stops
        if request.seed is not None:
            body["seed"] = request.seed
        return body

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except _FAILURES as error:
            ours = self._error(error)
            # an error whose text repeats the key must not be printed as the cause either
            raise ours from (None if self._has_key(str(error)) else error)

    def _error(self, error: Exception) -> InfrastructureError:
        if isinstance(error, openai.APIConnectionError):
            return self._transport_error(error.__cause__ or error)
        if isinstance(error, openai.APIError):
            return self._refusal(error)
        if isinstance(error, httpx2.HTTPError):
            return self._transport_error(error)
        return DataError(f"the answer cannot be read ({type(error).__name__})", where=self.name)

    def _refusal(self, error: openai.APIError) -> InfrastructureError:
        number, code = _codes(error)
        if isinstance(error, openai.APIStatusError):
            status, headers = error.status_code, error.response.headers
        else:  # an event of a stream that began well
            status, headers = number or _STREAM_STATUS.get(code, 500), httpx2.Headers()
        text = _text(error)
        return refusal(
            status,
            code=code,
            text="" if self._has_key(text) else text,
            headers=headers,
            where=self.name,
        )

    def _transport_error(self, error: BaseException) -> InfrastructureError:
        if isinstance(error, httpx2.PoolTimeout):
            return OverloadedError("no free connection", where=self.name)
        if isinstance(error, httpx2.ConnectTimeout):
            return DeadlineExceededError(self.settings.connect_timeout_seconds, where=self.name)
        return UnavailableError(
            f"no answer from {httpx2.URL(self.settings.base_url).host} ({type(error).__name__})",
            where=self.name,
            hint="Check base_url, and that the server runs",
        )

    def _has_key(self, text: str) -> bool:
        key = self.settings.api_key.get_secret_value() if self.settings.api_key else ""
        return bool(key) and key in text


def _codes(error: openai.APIError) -> tuple[int, str]:
    """The body's status and its word; some servers put the status where OpenAI has the word."""
    code = error.code or ""
    return (int(code), error.type or "") if code.isdecimal() else (0, code or error.type or "")


def _text(error: openai.APIError) -> str:
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("message"), str):
        return shortened(body["message"])
    return shortened(body if isinstance(body, str) else error.message)


def _finish_reason(word: str | None) -> FinishReason | None:
    """Ours for theirs; what a server made up counts as a normal end."""
    if word is None or word == "":
        return None
    if word == "function_call":
        return FinishReason.TOOL_CALLS
    return FinishReason(word) if word in set(FinishReason) else FinishReason.STOP


def _usage(usage: CompletionUsage | None) -> Usage:
    if usage is None:
        return Usage()
    details = usage.prompt_tokens_details
    return Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cached_tokens=(details.cached_tokens or 0) if details else 0,
    )
