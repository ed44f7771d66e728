import asyncio
import contextlib
import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from infrastructure.cache.base import MISSING, BaseCacheProvider
from infrastructure.cache.implementations.disk import DiskCacheProvider, DiskCacheSettings
from infrastructure.config.models.serialization import EnvelopeSettings
from infrastructure.errors import (
    ConfigurationError,
    DeadlineExceededError,
    OutcomeUnknownError,
    OverloadedError,
)
from infrastructure.serialization import Reason
from tests.contracts.cache_contract import SharedCacheContract, Wait
from tests.infrastructure.cache.implementations.disk_process import TIMES

SIGNED = EnvelopeSettings(secrets=(SecretStr("x" * 16),))


class TestDisk(SharedCacheContract):
    @pytest.fixture
    async def provider(self, tmp_path: Path) -> AsyncIterator[BaseCacheProvider]:
        settings = DiskCacheSettings(path=tmp_path / "cache.sqlite3", timeout_seconds=10)
        async with DiskCacheProvider(settings) as provider:
            yield provider

    @pytest.fixture
    async def second(self, tmp_path: Path) -> AsyncIterator[BaseCacheProvider]:
        settings = DiskCacheSettings(path=tmp_path / "cache.sqlite3", timeout_seconds=10)
        async with DiskCacheProvider(settings) as provider:
            yield provider

    @pytest.fixture
    def lapse(self) -> Wait:
        return asyncio.sleep  # the clock of the machine is real


class Clock:
    """Time that goes by only when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "cache.sqlite3"


def _disk(path: Path, clock: Callable[[], float] = time.time, **changed: Any) -> DiskCacheProvider:
    settings = DiskCacheSettings(path=path, **({"timeout_seconds": 5} | changed))
    return DiskCacheProvider(settings, name="cache.default", clock=clock)


def _files(path: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}


def _write(path: Path, content: bytes, mode: int = 0o600) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(mode)


def _read(path: str) -> bytes:
    return Path(path).read_bytes()


def _remove(path: Path) -> None:
    path.unlink()


def _size(path: Path) -> int:
    return path.stat().st_size


def _scramble(path: Path) -> None:
    """Damage everything but the first page, where the file says what it is."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(_size(path) - 4096))


async def _rows(provider: DiskCacheProvider) -> int:
    return provider._store.totals()[0]


async def test_values_outlive_the_process_and_the_provider(path: Path) -> None:
    async with _disk(path) as provider:
        await provider.set("key", {"a": (1, 2)}, 60)
    async with _disk(path) as provider:
        assert await provider.get("key") == {"a": (1, 2)}


async def test_only_the_user_can_read_the_files(path: Path) -> None:
    async with _disk(path) as provider:
        await provider.set("key", 1, 60)
        modes = _files(path)
    assert {"cache.sqlite3", "cache.sqlite3-wal"} <= set(modes)
    assert set(modes.values()) == {0o600}


async def test_a_file_others_could_read_is_closed_to_them(path: Path) -> None:
    _write(path, b"", 0o666)
    async with _disk(path):
        assert _files(path)["cache.sqlite3"] == 0o600


async def test_the_longest_unused_goes_first_when_it_is_full(path: Path, clock: Clock) -> None:
    async with _disk(path, clock, max_entries=2) as provider:
        await provider.set_many({"a": 1, "b": 2}, 60)
        await provider.get("a")
        await provider.set("c", 3, 60)
        assert await provider.get_many(["a", "b", "c"]) == [1, MISSING, 3]
        assert provider._store.evictions == 1


async def test_what_another_provider_used_last_stays_too(path: Path, clock: Clock) -> None:
    async with _disk(path, clock, max_entries=2) as first, _disk(path, clock) as second:
        await first.set_many({"a": 1, "b": 2}, 60)
        clock.now += 1
        await second.get("a")
        await second.disconnect()
        await first.set("c", 3, 60)
        assert await first.get_many(["a", "b"]) == [1, MISSING]


async def test_an_expired_entry_goes_before_the_longest_unused(path: Path, clock: Clock) -> None:
    async with _disk(path, clock, max_entries=2) as provider:
        await provider.set("lasting", 1, 60)
        await provider.set("brief", 2, 1)
        clock.now += 2
        await provider.set("new", 3, 60)
        assert await provider.get_many(["lasting", "brief", "new"]) == [1, MISSING, 3]
        assert provider._store.evictions == 0


async def test_expired_entries_free_their_room_without_being_read(path: Path, clock: Clock) -> None:
    async with _disk(path, clock) as provider:
        await provider.set_many(dict.fromkeys(map(str, range(100)), 0), 1)
        clock.now += 2
        for number in range(3):
            await provider.set(f"new{number}", 1, 60)
        assert await _rows(provider) == 3


async def test_its_bytes_are_bounded_and_so_is_the_file(path: Path) -> None:
    most = 2 * 2**20
    async with _disk(path, max_bytes=most) as provider:
        for number in range(600):
            await provider.set(f"k{number}", os.urandom(number * 50), 600)
        assert provider._store.totals()[1] <= most
        assert await provider.get("k599") is not MISSING
    assert _size(path) < 1.5 * most


async def test_eviction_makes_room_for_more_than_one_write(path: Path) -> None:
    async with _disk(path, max_entries=100) as provider:
        await provider.set_many(dict.fromkeys(map(str, range(101)), 0), 60)
        assert await _rows(provider) == 95


async def test_a_value_larger_than_the_cache_is_not_kept(path: Path) -> None:
    async with _disk(path, max_bytes=10_000) as provider:
        await provider.set("key", 1, 60)
        await provider.set("key", b"x" * 20_000, 60)
        assert await provider.get("key") is MISSING
        assert await _rows(provider) == 0


async def test_reading_alone_keeps_what_was_used_in_bounds(path: Path) -> None:
    async with _disk(path) as provider:
        await provider.set_many(dict.fromkeys(map(str, range(600)), 0), 60)
        await provider.get_many([str(number) for number in range(600)])
        assert len(provider._store._touched) <= 512


async def test_a_damaged_file_is_put_aside_and_begun_anew(path: Path) -> None:
    _write(path, b"no database at all" * 1000)
    async with _disk(path) as provider:
        assert await provider.get("key") is MISSING
        await provider.set("key", 1, 60)
        assert await provider.get("key") == 1
        counts = {each.name: each.value for each in provider.measurements()}
    assert counts["switchgear.cache.damaged_files"] == 1
    assert _read(f"{path}.damaged").startswith(b"no database")


async def test_damage_while_it_is_open_costs_the_values_and_no_call(path: Path) -> None:
    async with _disk(path) as provider, _disk(path) as second:
        await provider.set_many({f"k{n}": "x" * 3000 for n in range(50)}, 60)
        await second.get("k1")
        provider._store.file.connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        _scramble(path)
        for each in (provider, second):
            each._store.file.connection().execute("PRAGMA shrink_memory")  # what it has in mind
            assert await each.get_many([f"k{n}" for n in range(50)]) == [MISSING] * 50
        await provider.set("key", 2, 60)
        assert await second.get("key") == 2
        assert provider._store.file.put_aside + second._store.file.put_aside == 1


async def test_a_file_that_was_removed_is_made_anew_by_all(path: Path) -> None:
    async with _disk(path) as provider, _disk(path) as second:
        await provider.set("key", "old", 60)
        await second.get("key")
        _remove(path)
        await provider.set("key", "new", 60)
        assert await second.get("key") == "new"


async def test_a_file_of_another_form_is_begun_anew(path: Path) -> None:
    async with _disk(path) as provider:
        await provider.set("key", 1, 60)
        provider._store.file.connection().execute("PRAGMA user_version = 99")
    async with _disk(path) as provider:
        assert await provider.get("key") is MISSING
        await provider.set("key", 2, 60)
        assert await provider.get("key") == 2


@pytest.mark.parametrize("change", [b"", b"foreign", b"\x80\x04K\x01."])
async def test_a_value_that_cannot_be_read_is_a_counted_miss_and_replaced(
    path: Path, change: bytes
) -> None:
    async with _disk(path) as provider:
        await provider.set("key", 1, 60)
        provider._store.file.connection().execute("UPDATE entries SET value = ?", (change,))
        assert await provider.get("key") is MISSING
        assert provider.unreadable == {Reason.FOREIGN: 1}
        assert await provider.add("key", 2, 60)
        assert await provider.get("key") == 2


async def test_a_value_moved_to_another_key_is_not_given(path: Path) -> None:
    async with _disk(path, envelope=SIGNED) as provider:
        await provider.set_many({"mine": 1, "yours": 2}, 60)
        values = "UPDATE entries SET value = (SELECT value FROM entries WHERE key = ?)"
        provider._store.file.connection().execute(values, (b"yours",))
        assert await provider.get_many(["mine", "yours"]) == [MISSING, 2]
        assert provider.unreadable == {Reason.FORGED: 1}


async def test_a_full_disk_is_an_overload_and_what_is_there_can_be_read(path: Path) -> None:
    async with _disk(path) as provider:
        await provider.set("key", 1, 60)
        db = provider._store.file.connection()
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(OverloadedError, match=r"cache\.default: there is no room.*SQLITE_FULL"):
            await provider.set("large", b"x" * 100_000, 60)
        assert await provider.get_many(["key", "large"]) == [1, MISSING]
        assert not db.in_transaction


async def test_a_file_that_cannot_be_written_is_a_configuration_error(path: Path) -> None:
    async with _disk(path) as provider:
        provider._store.file.connection().execute("PRAGMA query_only = ON")
        with pytest.raises(ConfigurationError, match="cannot be written"):
            await provider.set("key", 1, 60)


async def test_a_path_that_is_no_file_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "cache"):
        with pytest.raises(ConfigurationError, match="cannot be opened"):
            await _disk(path).get("key")


async def test_a_lock_held_too_long_by_another_is_an_overload_within_the_deadline(
    path: Path,
) -> None:
    async with _disk(path, timeout_seconds=0.2) as provider:
        await provider.set("key", 1, 60)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(OverloadedError, match="other processes hold"):
                await provider.increment("n", 1, 60)
            assert await provider.get("key") == 1
        assert await provider.increment("n", 1, 60) == 1


async def test_what_was_begun_and_not_answered_in_time_is_unknown(path: Path) -> None:
    async with _disk(path, timeout_seconds=0.05) as provider:
        await provider.set("key", 1, 60)
        with provider._store._lock:
            for call in (provider.increment("n", 1, 60), provider.add("key", 1, 60)):
                worker, provider._worker = provider._worker, ThreadPoolExecutor(1)
                with pytest.raises(OutcomeUnknownError):
                    await call
                provider._worker.shutdown(wait=False)
                provider._worker = worker


async def test_what_never_began_is_a_deadline(path: Path) -> None:
    async with _disk(path, timeout_seconds=0.05) as provider:
        with provider._store._lock:
            first = asyncio.create_task(provider.get("key"))
            await asyncio.sleep(0)
            with pytest.raises(DeadlineExceededError):
                await provider.increment("n", 1, 60)
            with pytest.raises(DeadlineExceededError):
                await first
        assert await provider.get("n") is MISSING


async def test_it_is_reached_without_an_event_loop_too(path: Path) -> None:
    provider = _disk(path)

    def use() -> list[Any]:
        token = provider.lease_now("key", 60)
        answers = [provider.lease_now("key", 60), provider.fill_now("key", [1], 60, token)]
        answers += [provider.get_now("key"), provider.add_now("key", 2, 60)]
        provider.release_now("key", provider.lease_now("key", 60))
        return [*answers, provider.delete_now("key"), provider.delete_now("key")]

    assert await asyncio.to_thread(use) == ["", True, [1], False, True, False]
    await provider.disconnect()
    assert provider._store.file._db is None


async def test_many_threads_and_the_loop_share_one_provider(path: Path) -> None:
    async with _disk(path, timeout_seconds=20) as provider:

        def use(thread: int) -> bool:
            keys = [f"{thread}:{number}" for number in range(30)]
            return all(provider.add_now(key, key, 60) for key in keys) and all(
                provider.get_now(key) == key for key in keys
            )

        threads = [asyncio.to_thread(use, thread) for thread in range(8)]
        counts = [provider.increment("n", 1, 60) for _ in range(30)]
        done = await asyncio.gather(*threads, *counts)
        assert all(done[:8])
        assert sorted(done[8:]) == list(range(1, 31))


async def test_a_child_process_made_by_a_fork_opens_the_file_itself(path: Path) -> None:
    provider = _disk(path)
    provider.add_now("key", 1, 60)
    child = multiprocessing.get_context("fork").Process(target=_in_a_fork, args=(provider,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # this process has threads
        child.start()
    await asyncio.to_thread(child.join, 20)
    assert child.exitcode == 0
    assert provider.get_now("child") == 2
    await provider.disconnect()


def _in_a_fork(provider: DiskCacheProvider) -> None:
    assert provider.get_now("key") == 1
    assert provider.add_now("child", 2, 60)


class Others:
    """Processes on the same file, started and then let go all at once."""

    def __init__(self, path: Path, what: str, count: int) -> None:
        script = Path(__file__).with_name("disk_process.py")
        command = [sys.executable, str(script), str(path), what]
        environ = {**os.environ, "PYTHONPATH": str(Path.cwd())}
        self.all = [
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ
            )
            for _ in range(count)
        ]

    def go(self) -> None:
        for each in self.all:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        for each in self.all:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()

    def answers(self) -> list[str]:
        self.go()
        return [each.communicate(timeout=50)[0].strip() for each in self.all]

    def close(self) -> None:
        for each in self.all:
            each.kill()
            each.communicate()


@pytest.fixture
def others(path: Path) -> Iterator[Callable[[str, int], Others]]:
    with contextlib.ExitStack() as ends:
        yield lambda what, count: ends.enter_context(contextlib.closing(Others(path, what, count)))


async def test_increments_of_several_processes_all_count(
    path: Path, others: Callable[[str, int], Others]
) -> None:
    answers = await asyncio.to_thread(others("increment", 3).answers)
    assert max(map(int, answers)) == 3 * TIMES
    async with _disk(path) as provider:
        assert await provider.get("n") == 3 * TIMES


@pytest.mark.parametrize("what", ["add", "lease"])
async def test_of_several_processes_one_wins(
    others: Callable[[str, int], Others], what: str
) -> None:
    answers = await asyncio.to_thread(others(what, 3).answers)
    assert sorted(answers) == ["False", "False", "True"]


async def test_a_writer_killed_at_work_leaves_a_cache_that_can_be_read(
    path: Path, others: Callable[[str, int], Others]
) -> None:
    for _ in range(3):
        writers = others("write", 2)
        await asyncio.to_thread(writers.go)
        for each in writers.all:
            assert each.stdout is not None
            assert [each.stdout.readline() for _ in "ab"] == ["writing\n", "going\n"]
        writers.close()
        async with _disk(path) as provider:
            keys = [f"k{number}" for number in range(50)]
            found = await provider.get_many(keys)
            assert [value[0] for value in found] == keys
            assert not provider.unreadable
            assert provider._store.file.put_aside == 0
            check = provider._store.file.connection().execute("PRAGMA integrity_check")
            assert check.fetchall() == [("ok",)]
