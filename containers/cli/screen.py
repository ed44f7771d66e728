"""What the demo shows: steps, a progress bar, a streamed answer, and the table of parts."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from infrastructure.config import Settings
from infrastructure.config.origins import Layer, Origin
from infrastructure.config.resources import packaged_folder
from infrastructure.health import Health, Status

#: From here on the table has room to breathe.
WIDE_COLUMNS = 100
#: A file has no edge: lines are as long as what they say.
FILE_COLUMNS = 1000

_STYLES = {Status.UP: "green", Status.DEGRADED: "yellow", Status.DOWN: "red"}


class Screen:
    """A terminal, or a file: the same words, without what only a terminal can show."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        if not self.console.is_terminal:
            self.console.width = FILE_COLUMNS

    def title(self, text: str) -> None:
        """The first line."""
        self.console.print(f"[bold]{escape(text)}[/bold]\n")

    @contextmanager
    def step(self, doing: str = "") -> Iterator[Callable[[str], None]]:
        """Spin while it is `doing` something, then say what came of it and how long it took."""
        came: list[str] = []
        started = time.perf_counter()
        if doing and self.console.is_terminal:
            with self.console.status(escape(doing)):
                yield came.append
        else:
            yield came.append
        seconds = time.perf_counter() - started
        self.console.print(
            f"[green]✓[/green] {escape(' '.join(came) or doing)} [dim]{_time(seconds)}[/dim]"
        )

    @contextmanager
    def progress(self, doing: str) -> Iterator[Callable[[int, int], None]]:
        """A bar for long work; gone when the work is done."""
        if not self.console.is_terminal:
            yield lambda _done, _total: None
            return
        columns = (
            TextColumn(escape(doing)),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as bar:
            task = bar.add_task(doing, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)

    def question(self, text: str) -> None:
        """The question, before its answer."""
        self.console.print(f"\n[bold cyan]?[/bold cyan] {escape(text)}")

    def piece(self, text: str) -> None:
        """A piece of the answer, as it comes."""
        self.console.print(escape(text), end="", soft_wrap=True)

    def note(self, text: str) -> None:
        """A line below an answer."""
        self.console.print(f"  [dim]{escape(text)}[/dim]")

    def parts(self, settings: Settings, health: dict[str, Health]) -> None:
        """Every managed part: its provider path, kind, the line that chose it, and how it is."""
        is_wide = self.console.width >= WIDE_COLUMNS
        table = Table(box=None, header_style="bold", padding=(0, 2 if is_wide else 1, 0, 0))
        for name in ("provider", "kind", "chosen in", "health", "latency"):
            justify: Literal["right", "left"] = "right" if name == "latency" else "left"
            table.add_column(name, justify=justify, overflow="fold")
        for path, answer in sorted(health.items()):
            table.add_row(*_row(settings, path, answer, is_wide=is_wide))
        self.console.print()
        self.console.print(table)


def _row(settings: Settings, path: str, answer: Health, *, is_wide: bool) -> tuple[str, ...]:
    part, _, inside = path.partition(".")
    block: Any = getattr(settings, part).blocks()[inside]
    style = _STYLES.get(answer.status, "dim")
    return (
        path,
        block.kind,
        escape(_place(settings.origin(f"{path}.kind"), "packaged " if is_wide else "")),
        f"[{style}]{answer.status}[/{style}]",
        _time(answer.latency_seconds),
    )


def _place(origin: Origin, packaged: str) -> str:
    """The origin; of a packaged file only what tells it apart, as its folder may be far away."""
    if origin.layer not in {Layer.PACKAGED, Layer.PACKAGED_PROFILE}:
        return str(origin)
    return f"{packaged}{Path(origin.file).relative_to(packaged_folder())}:{origin.line}"


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"
