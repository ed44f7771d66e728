"""The main job: read real text, answer a question from it, remember, and show the parts."""

import hashlib
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from containers.application import Container
from containers.cli import corpus
from containers.cli.corpus import Corpus
from containers.cli.library import Library
from containers.cli.screen import Screen
from containers.errors import LifecycleError
from infrastructure.config import Settings
from infrastructure.connections.vector.base import Match
from infrastructure.errors import ConfigurationError, UnavailableError
from infrastructure.health import Status
from infrastructure.llm.messages import Message, Role

SYSTEM = "Answer from the text."
MAX_ANSWER_TOKENS = 128

#: The screen tells what happens; a profile's own level would put the clients' lines between.
QUIET = {"logging.level": "WARNING"}


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asked for."""

    question: str
    docs: Path | None = None
    all_topics: bool = False
    profile: str | None = None
    overrides: Mapping[str, str | None] = field(default_factory=dict)


async def run(request: Request, screen: Screen | None = None) -> None:
    """Do the whole job on the profile's backends.

    Raises:
        InfrastructureError: Wrong settings or documents, or a backend that cannot be reached.
    """
    screen = screen or Screen()
    if not request.question.strip():
        raise ConfigurationError("the question is empty", where="--ask", hint="Ask something.")
    text = (
        corpus.folder(request.docs)
        if request.docs
        else corpus.topics(everything=request.all_topics)
    )
    container = Container(profile=request.profile, overrides={**QUIET, **request.overrides})
    settings = container.settings()
    screen.title(f"switchgear demo, profile {', '.join(settings.profiles)}")
    with screen.step("starting every part") as came:
        await _start(container)
        came(f"started {len(container.startup_report())} parts")
    try:
        await _converse(container, text, request.question, screen)
        screen.parts(settings, await container.health())
        if _keeps_files(settings):
            screen.console.print(
                f"\nState is kept in {settings.paths.data}: the next run reuses it."
            )
    finally:
        await container.stop()


async def _start(container: Any) -> None:
    """Start everything, and see that it answers: all that is missing goes into one report."""
    failures: dict[str, BaseException] = {}
    try:
        await container.start()
    except LifecycleError as error:
        failures |= error.failures
    answers = await container.health()
    for path, answer in answers.items():
        if answer.status is Status.DOWN and path not in failures:
            failures[path] = UnavailableError(answer.detail.partition(f"{path}: ")[2])
    if failures:
        await container.stop()
        for path in answers:
            await container.get(path).disconnect()  # a check opens what has not started
        raise LifecycleError("could not start; what had started was ended", failures=failures)


def _keeps_files(settings: Settings) -> bool:
    """Whether a part of the profile has its state below the data folder."""
    places = (
        getattr(block, "path", None)
        for part in (settings.cache, settings.db, settings.vector)
        for block in part.blocks().values()
    )
    return any(isinstance(at, Path) and at.is_relative_to(settings.paths.data) for at in places)


async def _converse(container: Any, text: Corpus, question: str, screen: Screen) -> None:
    library = Library(text, container.vector.default(), container.embeddings.default())
    await _index(library, text, screen)
    answer = await _ask(container, library, question, screen)
    async with container.scope() as scope:
        from containers.cli.conversation import remember

        session = await scope.aget("db.session")
        count = await remember(session, question, answer["text"], answer["sources"])
    screen.note(f"stored in db.default as turn {count} of the conversation")
    await _ask(container, library, question, screen)


async def _index(library: Library, text: Corpus, screen: Screen) -> None:
    with screen.step() as came, screen.progress(f"embedding {text.title}") as progress:
        added = await library.index(progress)
        found = f"{len(text.passages)} passages, {text.characters:,} characters of {text.title}"
        came(f"embedded {added} of {found}" if added else f"index is up to date: {found}")


async def _ask(container: Any, library: Library, question: str, screen: Screen) -> dict[str, str]:
    """Answer from the cache, or by retrieval, prompt and stream; the answer and its sources."""
    cache, model = container.cache.default(), container.llm.default()
    key = hashlib.blake2b(
        f"{library.collection}\n{model.settings.kind}\n{model.settings.model}\n{question}".encode(),
        digest_size=16,
    ).hexdigest()
    screen.question(question)
    asked: list[str] = []

    async def answer() -> dict[str, str]:
        asked.append(question)
        matches = await library.search(question)
        text = await _stream(model, question, matches, screen)
        return {"text": text, "sources": _sources(matches)}

    with screen.step() as came:
        found: dict[str, str] = await cache.get_or_set(f"demo:{key}", answer)
        if not asked:
            screen.piece(_beginning(found["text"]))
        screen.console.print()
        screen.note(f"sources: {found['sources']}")
        came(f"answered by {model.name}" if asked else "answered from cache.default")
    return found


async def _stream(model: Any, question: str, matches: list[Match], screen: Screen) -> str:
    pieces: list[str] = []
    async for chunk in model.stream_generate(
        _prompt(question, matches), max_tokens=MAX_ANSWER_TOKENS
    ):
        pieces.append(chunk)
        screen.piece(chunk)
    return "".join(pieces).strip()


def _prompt(question: str, matches: list[Match]) -> list[Message]:
    text = "\n".join(match.text for match in matches)
    asked = f"Text: {text}\n\nQuestion: {question} Answer in one sentence."
    return [Message(Role.SYSTEM, SYSTEM), Message(Role.USER, asked)]


def _beginning(answer: str, size: int = 100) -> str:
    """Enough of an answer that was shown already."""
    return textwrap.shorten(answer, size, placeholder=" …")


def _sources(matches: list[Match]) -> str:
    return ", ".join(f"{match.fields['source']} ({match.score:.2f})" for match in matches)
