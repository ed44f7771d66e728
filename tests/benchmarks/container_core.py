"""What the container costs, against the same work written by hand or by plain dependency-injector.

Run: python tests/benchmarks/container_core.py [--rows singleton,scope_sync] [--rounds 15]
                                               [--json FILE] [--memory]

Process CPU time of one operation; the sides of all rows take turns inside a round, the garbage
collector sleeps while they are timed. A ratio is taken inside each round: its median is shown
and, as the spread, its lowest and highest. `--memory` adds what a million scopes and 10,000
concurrent ones keep. `container_peer.py` has the rows of ours, and runs beside other containers in
a harness that offers `@peer` and the classes of `container_shapes.py`.
"""

import argparse
import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from contextvars import ContextVar, copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from containers import DeclarativeContainer, providers
from tests.benchmarks import container_memory
from tests.benchmarks import container_shapes as shapes

ROOT = Path(__file__).resolve().parents[2]
PEER = Path(__file__).with_name("container_peer.py")
if TYPE_CHECKING:
    from tests.benchmarks.container_peer import Switchgear
else:
    exec(compile(PEER.read_text(), PEER, "exec", dont_inherit=True), vars(shapes))
    Switchgear = vars(shapes)["Switchgear"]

BUDGET_NS = 15e6  # one side of one row, in one round
IMPORT_PLAIN = "from dependency_injector import containers, providers, wiring"
IMPORT_OURS = "from containers import DeclarativeContainer, Provide, inject, providers"


class OurRows(Switchgear):
    """The rows that make no sense for another container."""

    def both(self) -> Any:
        class C(DeclarativeContainer):
            settings = providers.Singleton(shapes.Settings)
            clock = providers.Singleton(shapes.Clock)
            both = providers.Factory(shapes.Both, settings, clock)

        return C()

    def injected(self) -> shapes.Built:
        return "sync", self.both().both, shapes.is_(shapes.Both)

    def injected_by_name(self) -> shapes.Built:
        c = self.both()
        return "sync", lambda: c.both(), shapes.is_(shapes.Both)  # noqa: PLW0108 - as a user spells it

    def scope_get(self) -> shapes.Built:
        c = self.scoped(shapes.Session)

        def unit() -> Any:
            with c.scope() as scope:
                return scope.get("handler")

        return "sync", unit, shapes.check_handler

    def isolated_override(self) -> shapes.Built:
        c, fake = self.both(), shapes.Settings()

        def unit() -> Any:
            with c.override(settings=fake, isolated=True):
                return c.both()

        return "sync", unit, shapes.is_(shapes.Both)

    def beside_override(self) -> shapes.Built:
        c, task = self.both(), copy_context()
        task.run(lambda: c.override(settings=shapes.Settings(), isolated=True).__enter__())
        return "sync", lambda: task.run(c.clock), shapes.is_(shapes.Clock)


class TheirRows(shapes.ByHand):
    """Hand-written counterparts of those."""

    def isolated_override(self) -> shapes.Built:
        settings: ContextVar[shapes.Settings] = ContextVar("settings")
        settings.set(shapes.Settings())
        fake, clock = shapes.Settings(), shapes.Clock()

        def unit() -> Any:
            token = settings.set(fake)
            try:
                return shapes.Both(settings.get(), clock)
            finally:
                settings.reset(token)

        return "sync", unit, shapes.is_(shapes.Both)

    def beside_override(self) -> shapes.Built:
        kind, get, check = self.singleton()
        task = copy_context()
        return kind, lambda: task.run(get), check


class Row(NamedTuple):
    """Which method of whom our method is held against, and the highest ratio promised."""

    base: str
    target: float | None = None
    plain: bool = False


ROWS = {
    "singleton": Row("singleton", 3.6),
    "injected": Row("injected", 1.2),
    "injected_by_name": Row("injected"),
    "transient7": Row("transient7", 1.2),
    "scope_sync": Row("scope_sync", 2.2),
    "scope_get": Row("scope_sync"),
    "scope_gen": Row("scope_gen", 2.8),
    "scope_async": Row("scope_async", 4.0),
    "inject_sync": Row("inject_sync", 1.5),
    "inject_async": Row("inject_async", 1.2),
    "fastapi": Row("fastapi", 1.15),
    "isolated_override": Row("isolated_override"),
    "beside_override": Row("beside_override"),
    "singleton/plain": Row("singleton", plain=True),
    "build200": Row("build200", 1.0, plain=True),
    "import": Row("import", plain=True),
}


class Side:
    """One operation, timed in turns with all others.

    Attributes:
        ns: Nanoseconds an operation, of each round.
    """

    def __init__(self, built: Any) -> None:
        self.ns: list[float] = []
        self._count = 1
        self._kind, self._call, self._check = built

    async def prepare(self) -> None:
        """See that the operation does what it should, warm it, and find how often fills a turn."""
        for _ in range(40):
            made = self._call()
            self._check(await made if self._kind == "async" else made)
        while (taken := await self._time() * self._count) < BUDGET_NS / 4:
            self._count *= 2
        self._count = max(1, int(self._count * BUDGET_NS / taken))

    async def take_turn(self) -> None:
        """Time one round."""
        with uncollected():
            self.ns.append(await self._time())

    async def _time(self) -> float:
        call, turns = self._call, range(self._count)
        started = time.process_time_ns()
        if self._kind == "async":
            for _ in turns:
                await call()
        else:
            for _ in turns:
                call()
        return (time.process_time_ns() - started) / self._count


class ImportSide(Side):
    """The CPU time an import statement takes in a fresh interpreter."""

    def __init__(self, statement: str) -> None:
        super().__init__(("sync", None, None))
        self._statement = statement

    async def prepare(self) -> None:
        await self._time()

    async def _time(self) -> float:
        return import_ns(self._statement)


def import_ns(statement: str) -> float:
    code = (
        f"import time; t = time.process_time_ns(); {statement}; print(time.process_time_ns() - t)"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what was edited would be compiled each time
    return float(subprocess.check_output(command, env=environ))


@contextmanager
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def operation(app: Any) -> shapes.Built:
    """One GET through an ASGI application, without sockets."""
    head = {"asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1"}
    path = {"scheme": "http", "path": "/", "raw_path": b"/", "query_string": b"", "root_path": ""}
    ends = {"headers": [(b"host", b"x")], "client": ("t", 1), "server": ("t", 80)}

    async def get() -> list[int]:
        statuses: list[int] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        request = {"type": "http", "method": "GET", "state": {}, **head, **path, **ends}
        await app(request, receive, send)
        return statuses

    def check(statuses: list[int]) -> None:
        assert statuses == [200]

    return "async", get, check


async def prepared(name: str, row: Row, running: AsyncExitStack) -> tuple[Side, Side]:
    """Our side of a row, and what it is held against."""
    pair = await sides(name, row, running)
    for side in pair:
        await side.prepare()
    return pair


async def sides(name: str, row: Row, running: AsyncExitStack) -> tuple[Side, Side]:
    """Both, not tried yet; applications run until the stack ends."""
    if name == "import":
        return ImportSide(IMPORT_OURS), ImportSide(IMPORT_PLAIN)
    other = shapes.PlainDependencyInjector() if row.plain else TheirRows()
    built = [getattr(OurRows(), name.partition("/")[0])(), getattr(other, row.base)()]
    for place, app in enumerate(built):
        if name == "fastapi":
            await running.enter_async_context(app.router.lifespan_context(app))
            built[place] = operation(app)
    return Side(built[0]), Side(built[1])


async def measure(names: list[str], rounds: int) -> dict[str, dict[str, Any]]:
    """The figures of each row, by its name; or what broke it."""
    pairs: dict[str, tuple[Side, Side]] = {}
    broken: dict[str, dict[str, Any]] = {}
    async with AsyncExitStack() as running:
        for name in names:
            try:
                pairs[name] = await prepared(name, ROWS[name], running)
            except Exception as error:  # noqa: BLE001 - the other rows are worth their figures
                broken[name] = {"error": f"{type(error).__name__}: {error}"}
        turns = [side for pair in pairs.values() for side in pair]
        for number in range(rounds):
            for side in turns if number % 2 else reversed(turns):
                await side.take_turn()
    return {name: figures(ROWS[name], *pair) for name, pair in pairs.items()} | broken


def figures(row: Row, ours: Side, base: Side) -> dict[str, Any]:
    ratios = [mine / theirs for mine, theirs in zip(ours.ns, base.ns, strict=True)]
    ratio = statistics.median(ratios)
    return {
        "ns": statistics.median(ours.ns),
        "base_ns": statistics.median(base.ns),
        "base": "plain" if row.plain else "by hand",
        "ratio": ratio,
        "spread": [min(ratios), max(ratios)],
        "target": row.target,
        "passes": None if row.target is None else ratio <= row.target,
    }


def table(measured: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield f"{'row':18}{'ours ns':>12}{'of base':>12} {'base':8}{'ratio':>8}{'spread':>16}  target"
    for name, row in measured.items():
        if "error" in row:
            yield f"{name:18}BROKEN {row['error']}"
            continue
        spread = "{:.2f}-{:.2f}".format(*row["spread"])
        promised = "-" if row["target"] is None else f"{row['target']:.2f}"
        word = {None: "", True: "pass", False: "FAIL"}[row["passes"]]
        yield (
            f"{name:18}{row['ns']:12.0f}{row['base_ns']:12.0f} {row['base']:8}"
            f"{row['ratio']:7.2f}x{spread:>16}{promised:>8} {word}"
        )


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--rows", default=",".join(ROWS), help="names, with commas between")
    asked.add_argument("--rounds", type=int, default=11)
    asked.add_argument("--json", type=Path, metavar="FILE")
    asked.add_argument("--memory", action="store_true", help="also what scopes keep; a minute")
    options = asked.parse_args()
    names = [name for name in options.rows.split(",") if name]
    if unknown := set(names) - set(ROWS):
        asked.error(f"no such row: {', '.join(sorted(unknown))}. Known: {', '.join(ROWS)}")
    measured = asyncio.run(measure(names, options.rounds))
    print("\n".join(table(measured)))
    kept = container_memory.report(OurRows()) if options.memory else []
    for line in kept:
        print(line)
    if options.json:
        report = {"python": sys.version, "load": os.getloadavg(), "rounds": options.rounds}
        options.json.write_text(
            json.dumps(
                {**report, "rows": measured, "memory": [line._asdict() for line in kept]}, indent=1
            )
        )


if __name__ == "__main__":
    main()
