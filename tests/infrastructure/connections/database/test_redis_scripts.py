"""Scripts, pipelines and transactions: several commands as one call."""

import pytest

from infrastructure.connections.database.redis import RedisConnectionManager
from infrastructure.connections.database.redis.scripts import RedisScript, beside
from infrastructure.errors import ConfigurationError, RejectedError, UnsupportedError

MOVE = RedisScript(
    "move",
    """\
redis.call('DECRBY', KEYS[1], ARGV[1])
return redis.call('INCRBY', KEYS[2], ARGV[1])""",
    keys=2,
    arguments=1,
)


@pytest.fixture(autouse=True)
async def nothing_there(redis: RedisConnectionManager) -> None:
    await redis.execute("DEL", "from", "to", "text")
    redis.add_script(MOVE)


@pytest.fixture
def cluster(redis_cluster: RedisConnectionManager) -> RedisConnectionManager:
    redis_cluster.add_script(MOVE)
    return redis_cluster


async def test_a_script_is_called_by_its_name(redis: RedisConnectionManager) -> None:
    assert await redis.call_script("move", ["from", "to"], [5]) == 5
    assert await redis.execute("MGET", "from", "to") == [b"-5", b"5"]


async def test_a_server_that_forgot_a_script_is_told_it_again_and_runs_it_once(
    redis: RedisConnectionManager,
) -> None:
    await redis.call_script("move", ["from", "to"], [1])
    await redis.execute("SCRIPT", "FLUSH")
    assert await redis.call_script("move", ["from", "to"], [1]) == 2


async def test_the_text_of_a_script_is_sent_to_a_server_once(
    redis: RedisConnectionManager,
) -> None:
    await redis.execute("SCRIPT", "FLUSH")
    await redis.execute("CONFIG", "RESETSTAT")
    for _ in range(3):
        await redis.call_script("move", ["from", "to"], [1])
    stats = await redis.execute("INFO", "commandstats")
    assert stats["cmdstat_eval"]["calls"] == 1
    assert stats["cmdstat_evalsha"]["calls"] == 3


@pytest.mark.parametrize(
    ("keys", "arguments", "told"),
    [(["from"], [1], "takes 2 keys, and was given 1"), (["a", "b"], [], "takes 1 arguments")],
)
async def test_a_script_called_with_other_numbers_is_not_sent(
    redis: RedisConnectionManager, keys: list[str], arguments: list[int], told: str
) -> None:
    with pytest.raises(UnsupportedError, match=f"db.default: script 'move' {told}"):
        await redis.call_script("move", keys, arguments)
    assert await redis.execute("EXISTS", "from", "a") == 0


async def test_a_script_nobody_added_is_told_with_those_there_are(
    redis: RedisConnectionManager,
) -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'move'"):
        await redis.call_script("moves", ["from", "to"], [1])


async def test_two_scripts_of_one_name_are_refused_and_the_same_twice_is_not(
    redis: RedisConnectionManager,
) -> None:
    redis.add_script(MOVE)
    with pytest.raises(ConfigurationError, match="another script 'move'"):
        redis.add_script(RedisScript("move", "return 1", keys=0))


async def test_an_error_of_a_script_is_a_refusal_with_its_word(
    redis: RedisConnectionManager,
) -> None:
    redis.add_script(RedisScript("no", "return redis.error_reply('TOOSMALL x')", keys=0))
    with pytest.raises(RejectedError, match="TOOSMALL"):
        await redis.call_script("no")


async def test_in_a_cluster_a_script_finds_the_member_and_is_told_to_each(
    cluster: RedisConnectionManager,
) -> None:
    for key in "abc":
        await cluster.execute("DEL", f"{{{key}}}:to")
        assert await cluster.call_script("move", [f"{{{key}}}:from", f"{{{key}}}:to"], [1]) == 1


async def test_keys_of_different_slots_are_told_before_a_script_is_sent(
    cluster: RedisConnectionManager,
) -> None:
    with pytest.raises(UnsupportedError, match="'a' and 'b' are in different slots"):
        await cluster.call_script("move", ["a", "b"], [1])


async def test_in_a_cluster_a_key_that_is_no_text_is_refused_as_elsewhere(
    cluster: RedisConnectionManager,
) -> None:
    with pytest.raises(UnsupportedError, match="lone surrogates"):
        await cluster.call_script("move", ["\ud800", "\ud800"], [1])


@pytest.mark.parametrize("name", ["jobs", "{order}:7", "a{b}c}", "a{b"])
async def test_a_key_beside_another_is_in_its_slot(
    cluster: RedisConnectionManager, name: str
) -> None:
    assert len(cluster.together([name, beside(name, ":x")])) == 1


@pytest.mark.parametrize("name", ["", "a}b", "{}x", "x{}{y"])
def test_a_name_that_leaves_no_way_to_a_key_beside_it_is_refused(name: str) -> None:
    with pytest.raises(UnsupportedError):
        beside(name, ":x")


async def test_many_commands_are_answered_in_order(redis: RedisConnectionManager) -> None:
    commands = [("SET", "to", 1), ("INCR", "to"), ("GET", "to")]
    assert await redis.execute_many(commands) == [True, 2, b"2"]
    assert await redis.execute_many([]) == []


async def test_in_a_cluster_many_commands_go_to_their_members(
    cluster: RedisConnectionManager,
) -> None:
    await cluster.execute_many([("SET", key, key) for key in "abcdef"])
    found = await cluster.execute_many([("GET", key) for key in "abcdef"])
    assert found == [key.encode() for key in "abcdef"]


async def test_a_transaction_is_answered_in_order(redis: RedisConnectionManager) -> None:
    commands = [("SET", "to", 1), ("INCR", "to"), ("HSET", "hash", "a", 1), ("HGETALL", "hash")]
    assert (await redis.transaction([("DEL", "hash"), *commands]))[1:] == [
        *(True, 2, 1),
        {b"a": b"1"},
    ]


async def test_a_transaction_with_a_command_that_is_none_runs_nothing(
    redis: RedisConnectionManager,
) -> None:
    with pytest.raises(RejectedError):
        await redis.transaction([("SET", "to", 1), ("NOSUCH", "to")])
    assert await redis.execute("GET", "to") is None


async def test_a_command_that_fails_inside_a_transaction_is_told(
    redis: RedisConnectionManager,
) -> None:
    with pytest.raises(RejectedError, match="WRONGTYPE"):
        await redis.transaction([("SET", "text", "x"), ("LPUSH", "text", "y")])
    assert await redis.execute("GET", "text") == b"x"


async def test_a_cluster_refuses_a_transaction_before_it_is_sent(
    cluster: RedisConnectionManager,
) -> None:
    with pytest.raises(UnsupportedError, match="script"):
        await cluster.transaction([("SET", "a", 1)])
