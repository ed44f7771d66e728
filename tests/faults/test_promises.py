"""What a cache promises when things fail, each promise held to the tests that tell it.

A promise whose test is renamed or gone fails here; those that had none are told below.
"""

import ast
import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from infrastructure.cache import CacheService
from infrastructure.cache.implementations.redis import RedisCacheProvider, RedisCacheSettings
from infrastructure.servers.valkey import ValkeyServer, ask
from tests.faults.proxy import FaultProxy
from tests.redis_address import address

TESTS = Path(__file__).parents[1]
CACHE = "infrastructure/cache"
KINDS = f"{CACHE}/implementations"
ENVELOPE = "infrastructure/serialization/test_envelope.py"
OUTAGE = (
    "faults/test_cache_outages.py",
    "test_an_outage_costs_each_caller_a_deadline_at_most_and_is_told_once",
)

#: Each promise, and the tests (file below `tests`, name) that tell it.
PROMISES: dict[str, list[tuple[str, str]]] = {
    "When the cache is down the loader answers, within a deadline and its own time.": [OUTAGE],
    "Each call that goes on without the cache is counted.": [OUTAGE],
    "A change of state is one line, and a call is none.": [
        OUTAGE,
        (f"{CACHE}/test_outages.py", "test_down_and_up_are_logged_once_each"),
    ],
    "A wrong, cut, foreign or old value is a counted miss, and the next set replaces it.": [
        (f"{KINDS}/test_redis.py", "test_a_foreign_or_cut_value_is_a_counted_miss"),
        (f"{KINDS}/test_redis.py", "test_a_foreign_value_is_replaced_by_the_next_set"),
        (f"{KINDS}/test_redis.py", "test_another_schema_version_reads_nothing_of_this_one"),
        (f"{KINDS}/test_memcached.py", "test_a_foreign_value_is_a_counted_miss_and_replaced"),
    ],
    "Half a reply is never a value.": [
        ("faults/cache_fault_contract.py", "test_half_a_reply_is_never_returned"),
    ],
    "A value stands under its own key, namespace and version only; a signature covers the key.": [
        (ENVELOPE, "test_a_value_under_another_key_is_noticed"),
        (ENVELOPE, "test_a_key_and_a_value_cannot_be_shifted_against_each_other"),
        (ENVELOPE, "test_another_schema_version_is_not_read"),
        ("infrastructure/serialization/test_codec.py", "test_another_version_is_refused"),
        (f"{CACHE}/test_cache_service.py", "test_two_namespaces_never_see_each_other"),
        (f"{CACHE}/test_shared_namespaces.py", "test_one_key_is_never_another_namespaces"),
    ],
    "A cancelled or late call never gives its reply to another.": [
        (
            "faults/cache_fault_contract.py",
            "test_a_cancelled_call_never_gives_its_reply_to_another",
        ),
        (
            "faults/cache_fault_contract.py",
            "test_a_reply_slower_than_the_deadline_is_not_given_to_the_next_caller",
        ),
    ],
    "A removal that cannot be sent is an error.": [
        ("faults/test_cache_outages.py", "test_a_removal_while_it_is_down_is_an_error"),
        (f"{CACHE}/test_outages.py", "test_a_removal_that_cannot_be_sent_is_an_error"),
    ],
    "A queued removal is sent before anything is served again.": [
        (
            "faults/test_cache_outages.py",
            "test_a_queued_removal_is_sent_before_anything_is_served_again",
        ),
        (f"{CACHE}/test_outages.py", "test_a_queued_removal_is_sent_before_anything_is_served"),
    ],
    "A load that began before a change does not cover it.": [
        (f"{CACHE}/test_shared_namespaces.py", "test_a_load_does_not_cover_what_came_while_it_ran"),
        ("contracts/cache_contract.py", "test_a_change_voids_the_lease_so_that_no_fill_covers_it"),
    ],
    "Nodes with copies agree with the server soon after the writes, whatever was cut.": [
        (f"{KINDS}/test_tiered.py", "test_two_nodes_and_the_server_agree_after_writes_stop"),
        (
            "faults/test_tiered_processes.py",
            "test_reader_and_writer_agree_though_the_line_is_cut_while_one_writes",
        ),
        (
            "faults/test_tiered_processes.py",
            "test_a_line_that_falls_silent_ends_the_copies_though_nobody_cuts_it",
        ),
    ],
    "One of all callers in all processes loads.": [
        (
            "faults/test_stampede.py",
            "test_a_thousand_callers_in_four_processes_are_one_load",
        ),
    ],
    "A leader that is cancelled or killed harms no follower.": [
        (f"{CACHE}/test_cache_service.py", "test_a_cancelled_leader_fails_nobody"),
        (
            "faults/test_stampede.py",
            "test_when_the_loading_process_is_killed_one_other_loads_after_its_lease",
        ),
        (
            "faults/test_stampede.py",
            "test_when_the_loading_caller_gives_up_the_others_do_not_wait_for_its_lease",
        ),
    ],
    "The loader's exception goes to all, and is not kept.": [
        (
            f"{CACHE}/test_cache_service.py",
            "test_the_loaders_exception_goes_to_all_and_is_not_kept",
        ),
    ],
    "A follower's deadline is its own.": [
        ("faults/test_promises.py", "test_a_followers_deadline_ends_its_own_wait_and_nothing_else"),
    ],
    "When the lock is lost while one loads, one a process loads, and it is counted.": [
        (
            "faults/test_promises.py",
            "test_a_server_lost_while_one_loads_costs_no_second_load_and_is_counted",
        ),
        (
            f"{CACHE}/test_cache_service.py",
            "test_when_the_cache_is_down_single_flight_still_holds",
        ),
    ],
    "To clear a namespace touches no other key, and walks over none.": [
        ("faults/test_promises.py", "test_clearing_walks_over_no_keys_and_leaves_all_others"),
        (f"{CACHE}/test_shared_namespaces.py", "test_glob_characters_in_keys_and_tags_are_data"),
    ],
    "A set without a lifetime has the default's, never the one before.": [
        (
            f"{CACHE}/test_cache_service.py",
            "test_a_lifetime_is_the_calls_or_the_services_or_the_settings",
        ),
        ("contracts/cache_contract.py", "test_overwritten_key_starts_a_new_lifetime"),
        (f"{KINDS}/test_redis.py", "test_every_entry_has_a_lifetime_on_the_server"),
    ],
    "A lifetime that is not above 0 is an error.": [
        (
            f"{CACHE}/test_cache_service.py",
            "test_a_lifetime_that_is_not_above_zero_is_refused",
        ),
    ],
    "Jitter makes a lifetime shorter and never longer.": [
        (
            f"{CACHE}/test_loading.py",
            "test_jitter_makes_a_lifetime_shorter_and_never_longer",
        ),
    ],
    "Memory is bounded, and what has expired goes first.": [
        (f"{KINDS}/test_memory_bounds.py", "test_it_keeps_what_a_simple_model_keeps"),
        (
            f"{KINDS}/test_memory.py",
            "test_an_expired_entry_goes_before_the_longest_unused",
        ),
    ],
    "No caller can change what is kept.": [
        (f"{KINDS}/test_tiered.py", "test_a_copy_is_the_callers_own"),
        (
            f"{CACHE}/test_shared_namespaces.py",
            "test_a_caller_of_a_joined_read_shares_no_object",
        ),
    ],
    "None is a value.": [
        (f"{CACHE}/test_cache_service.py", "test_none_is_a_value_and_not_the_default"),
        (f"{CACHE}/test_cache_service.py", "test_a_loader_that_gives_none_is_not_asked_again"),
    ],
    "Many are read in the order asked, with duplicates.": [
        ("contracts/cache_contract.py", "test_many_are_read_in_the_order_asked_with_duplicates"),
    ],
    "Closing ends what goes on behind, may be done twice, and goes in reverse order.": [
        (f"{CACHE}/test_loading.py", "test_closing_ends_what_goes_on_behind"),
        (
            f"{CACHE}/test_cache_service.py",
            "test_a_loader_nobody_waits_for_is_cancelled_and_leaves_nothing",
        ),
        ("containers/core/test_lifecycle.py", "test_dependencies_start_first_and_end_last"),
        ("containers/core/test_lifecycle.py", "test_starting_and_ending_twice_is_once"),
    ],
    "Many callers of different keys are an overload at worst, and leave nothing behind.": [
        (
            "faults/test_cache_crowd.py",
            "test_ten_thousand_callers_share_the_pool_and_leave_nothing_behind",
        ),
    ],
}


def _tests_in(path: Path) -> set[str]:
    if not path.exists():
        return set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = ast.AsyncFunctionDef, ast.FunctionDef
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def test_every_promise_is_told_by_tests_that_exist() -> None:
    told = {place for places in PROMISES.values() for place in places}
    known = {file: _tests_in(TESTS / file) for file, _ in told}
    gone = [f"{file}::{name}" for file, name in sorted(told) if name not in known[file]]
    assert not gone
    assert all(PROMISES.values())


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    """One of our own, whose commands are counted."""
    if reason := ValkeyServer.reason_missing():
        pytest.skip(reason)
    with ValkeyServer() as server:
        yield server


@pytest.fixture
async def proxy(server: ValkeyServer) -> AsyncIterator[FaultProxy]:
    at = address(server.url)
    async with FaultProxy(at["host"], at["port"]) as proxy:
        yield proxy


@pytest.fixture
async def provider(server: ValkeyServer, proxy: FaultProxy) -> AsyncIterator[RedisCacheProvider]:
    found = address(server.url, port=proxy.port, timeout_seconds=1)
    settings = RedisCacheSettings.model_validate(found)
    async with RedisCacheProvider(settings, name="cache.default") as provider:
        yield provider


async def test_a_followers_deadline_ends_its_own_wait_and_nothing_else(
    provider: RedisCacheProvider,
) -> None:
    cache = CacheService("app", provider=provider)
    gate, runs = asyncio.Event(), []

    async def load() -> str:
        runs.append(1)
        await gate.wait()
        return "loaded"

    leader = asyncio.create_task(cache.get_or_set("key", load))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await cache.get_or_set("key", load)
    patient = asyncio.create_task(cache.get_or_set("key", load))
    gate.set()
    assert list(await asyncio.gather(leader, patient)) == ["loaded", "loaded"]
    assert len(runs) == 1


async def test_a_server_lost_while_one_loads_costs_no_second_load_and_is_counted(
    provider: RedisCacheProvider, proxy: FaultProxy
) -> None:
    cache = CacheService("app", provider=provider)
    gate, started, runs = asyncio.Event(), asyncio.Event(), []

    async def load() -> str:
        runs.append(1)
        started.set()
        await gate.wait()
        return "loaded"

    callers = [asyncio.create_task(cache.get_or_set("key", load)) for _ in range(50)]
    await started.wait()
    await proxy.refuse()
    gate.set()
    assert await asyncio.gather(*callers) == ["loaded"] * 50
    assert len(runs) == 1
    assert {operation for operation, _ in cache.fallbacks} >= {"fill"}


async def test_clearing_walks_over_no_keys_and_leaves_all_others(
    provider: RedisCacheProvider, server: ValkeyServer
) -> None:
    mine, other = (CacheService(name, provider=provider) for name in ("app", "app2"))
    await mine.set_many({str(number): number for number in range(100)})
    await other.set("key", 1)
    ask(server.url, "SET", "app:foreign", "theirs")
    ask(server.url, "CONFIG", "RESETSTAT")
    await mine.clear()
    told = ask(server.url, "INFO", "commandstats")
    for walk in (b"keys:", b"scan:", b"flushdb:", b"flushall:"):
        assert b"cmdstat_" + walk not in told
    assert await mine.get("7") is None
    assert await other.get("key") == 1
    assert b"theirs" in ask(server.url, "GET", "app:foreign")
