"""The commands and their options; each imports what it needs when it runs.

Exit codes: 0 done; 1 a backend failed or cannot be reached; 2 settings, arguments or documents are
wrong; 130 interrupted.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from containers.errors import UnknownProviderError
from infrastructure.config.scalars import NULL_WORDS
from infrastructure.errors import ConfigurationError, InfrastructureError

app = typer.Typer(
    name="switchgear",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Exit codes: 0 done; 1 a backend failed or cannot be reached; "
    "2 settings, arguments or documents are wrong; 130 interrupted.",
)


class Format(StrEnum):
    """What a graph can be drawn as."""

    MERMAID = "mermaid"
    DOT = "dot"
    SVG = "svg"
    JSON = "json"


@app.callback()
def switchgear() -> None:
    """The infrastructure layer of an application, wired from YAML profiles."""


@app.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed

    typer.echo(installed("switchgear"))


@app.command()
def demo(
    ask: Annotated[
        str, typer.Option(help="The question.")
    ] = "What is the with statement used for?",
    docs: Annotated[
        Path | None, typer.Option(help="Read .md, .rst and .txt files of this folder instead.")
    ] = None,
    all_topics: Annotated[
        bool, typer.Option("--all-topics", help="Read the whole language reference of this Python.")
    ] = False,
    profile: Annotated[
        str | None, typer.Option(help="The profile, or several: dev,local. Default: embedded.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override one setting; may be repeated."),
    ] = None,
) -> None:
    """Wire every part from YAML, read real text, answer a question from it, and show the parts."""
    from containers.cli import demo as job

    request = job.Request(
        question=ask,
        docs=docs,
        all_topics=all_topics,
        profile=profile,
        overrides=_assignments(overrides or []),
    )
    _run(job, request)


@app.command()
def graph(
    format: Annotated[
        Format | None, typer.Option(help="Default: as the file is named, else mermaid.")
    ] = None,
    focus: Annotated[
        str | None, typer.Option(help="Only what this provider reaches, and what reaches it.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write to this file instead of printing.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="The profile, or several: dev,local. Default: embedded.")
    ] = None,
) -> None:
    """Draw the providers and what each needs; nothing is opened for it."""
    from containers.cli import inspection

    with _failures():
        typer.echo(inspection.graph(profile, format, focus, output), nl=False)


@app.command()
def explain(
    path: Annotated[str, typer.Argument(help="The provider, such as llm.default.")],
    as_json: Annotated[bool, typer.Option("--json", help="As data, for other programs.")] = False,
    profile: Annotated[
        str | None, typer.Option(help="The profile, or several: dev,local. Default: embedded.")
    ] = None,
) -> None:
    """Tell what a provider is, which line of which file chose it, and what it needs."""
    from containers.cli import inspection

    with _failures():
        typer.echo(inspection.explain(profile, path, as_json=as_json), nl=False)


@app.command("audit")
def audit_(
    path: Annotated[
        Path,
        typer.Argument(dir_okay=False, help="The audit file; its backups are read with it."),
    ],
    known: Annotated[
        str | None,
        typer.Option(metavar="SEQ:HASH", help="What an earlier run printed: finds lines cut off."),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID=SECRET_FILE", help="Where the secret of a key is; may be repeated."
        ),
    ] = None,
) -> None:
    """Verify the chain of an audit file; print its last number and hash. Exit code 1: broken."""
    from infrastructure.errors import NotFoundError
    from infrastructure.observability.logging import verify_audit

    keys = dict(map(_secret_of, key or []))
    with _failures():
        try:
            report = verify_audit(path, known=_noted(known) if known else None, keys=keys)
        except NotFoundError as error:
            raise typer.BadParameter(str(error)) from None
    typer.echo(f"{report.broken}" if report.broken else f"{report.last_seq}:{report.last_hash}")
    raise typer.Exit(0 if report.is_intact else 1)


def _noted(text: str) -> tuple[int, str]:
    number, _, seal = text.partition(":")
    if not number.isdecimal() or not seal:
        raise typer.BadParameter(f"'{text}' is not SEQ:HASH")
    return int(number), seal


def _secret_of(text: str) -> tuple[str, str]:
    from infrastructure.config.files import UnreadableError, read_text, without_final_newline

    identity, separator, file = text.partition("=")
    if not identity or not separator:
        raise typer.BadParameter("expected ID=SECRET_FILE", param_hint="--key")
    try:
        return identity, without_final_newline(read_text(file))
    except UnreadableError as error:
        raise typer.BadParameter(f"the file for '{identity}' {error}", param_hint="--key") from None


def _run(job: "object", request: "object") -> None:
    """Run a job to its end."""
    with _failures():
        asyncio.run(job.run(request))  # type: ignore[attr-defined]  # the job's module


@contextmanager
def _failures() -> Iterator[None]:
    """What fails on purpose is a message and an exit code."""
    try:
        yield
    except InfrastructureError as error:
        print(f"switchgear: {error}", file=sys.stderr)  # noqa: T201 - that is the output
        is_input = isinstance(error, (ConfigurationError, UnknownProviderError))
        raise typer.Exit(2 if is_input else 1) from None
    except KeyboardInterrupt:
        print("\nswitchgear: interrupted", file=sys.stderr)  # noqa: T201 - that is the output
        raise typer.Exit(130) from None


def _assignments(pairs: list[str]) -> dict[str, str | None]:
    """`KEY=VALUE` arguments as dotted overrides; `null` and `~` are null."""
    for pair in pairs:
        if "=" not in pair:
            raise typer.BadParameter(f"'{pair}' is not KEY=VALUE", param_hint="--set")
    split = (pair.split("=", 1) for pair in pairs)
    return {key: None if value in NULL_WORDS else value for key, value in split}
