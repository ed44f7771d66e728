"""The object store's manager on SeaweedFS."""

from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.session import AioSession
from botocore.exceptions import ConnectTimeoutError

from infrastructure.connections.external.s3 import S3ConnectionManager, S3Settings
from infrastructure.errors import AuthenticationError, NotFoundError, OverloadedError, RejectedError
from infrastructure.resilience import remaining
from infrastructure.servers.seaweedfs import SeaweedServer
from tests.aws_address import aws_address
from tests.contracts.connection_contract import ConnectionContract


def made(server: SeaweedServer, **changed: Any) -> S3ConnectionManager:
    settings = S3Settings.model_validate(aws_address(server, **changed))
    return S3ConnectionManager(settings, name="external.instances.files")


class TestS3Connection(ConnectionContract):
    @pytest.fixture
    def manager(self, seaweed: SeaweedServer) -> S3ConnectionManager:
        return made(seaweed)


async def test_a_stream_that_is_left_gives_its_connection_back(seaweed: SeaweedServer):
    async with made(seaweed, max_connections=1, timeout_seconds=0.5) as store:
        await store.put("long", bytes(2**21))
        async with aclosing(store.stream("long")) as pieces:
            await anext(pieces)
            assert store.pool_stats().in_use == 1
            with pytest.raises(OverloadedError, match="max_connections"):
                await store.head("long")
        assert store.pool_stats().in_use == 0
        assert (await store.head("long")).size_bytes == 2**21
        assert store.is_healthy()


async def test_what_is_too_long_for_memory_is_refused_before_it_is_read(seaweed: SeaweedServer):
    async with made(seaweed, max_get_bytes=100) as store:
        await store.put("long", bytes(101))
        with pytest.raises(RejectedError, match=r"'long' has 101 bytes.*stream\(\)"):
            await store.get("long")
        assert len(await store.get("long", last_byte=99)) == 100


async def test_a_bucket_is_made_once(seaweed: SeaweedServer):
    async with made(seaweed, bucket="another-one") as store:
        with pytest.raises(NotFoundError, match=r"'key'.*NoSuchBucket"):
            await store.put("key", b"x")
        health = await store.health_check()
        assert (health.is_up, "ensure_bucket" in health.detail) == (False, True)
        assert [await store.ensure_bucket(), await store.ensure_bucket()] == [True, False]
        assert (await store.health_check()).is_up


@pytest.mark.parametrize("wrong", ["access_key_id", "secret_access_key"])
async def test_wrong_keys_are_told_without_showing_them(seaweed: SeaweedServer, wrong: str):
    store = made(seaweed, **{wrong: "HUNTER2HUNTER2"})
    with pytest.raises(AuthenticationError, match="ListObjectsV2") as told:
        await store.connect()
    assert "HUNTER2" not in f"{told.value!r} {told.value} {told.value.__cause__!r}"
    assert "HUNTER2" not in repr(store.settings.secret_access_key)


async def test_what_the_driver_will_not_open_with_is_our_error(
    seaweed: SeaweedServer, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(RejectedError, match="'eu west'"):
        await made(seaweed, region="eu west").connect()
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(RejectedError, match="nobody"):
        await made(seaweed, access_key_id=None, secret_access_key=None).connect()


def test_a_connection_that_takes_too_long_is_told_with_its_own_bound(seaweed: SeaweedServer):
    store = made(seaweed, connect_timeout_seconds=3)
    late = store.translated(ConnectTimeoutError(endpoint_url=seaweed.url))
    assert "no answer within 3 s" in str(late)


async def test_without_a_key_the_one_in_the_environment_counts(
    seaweed: SeaweedServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweed.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweed.secret_access_key)
    async with made(seaweed, access_key_id=None, secret_access_key=None) as store:
        await store.put("key", b"x")


async def test_looking_for_a_key_is_a_part_of_opening_and_not_of_a_call(
    seaweed: SeaweedServer, monkeypatch: pytest.MonkeyPatch
):
    looking, left = AioSession.get_credentials, []

    async def looked(session: AioSession) -> Any:
        left.append(remaining())
        return await looking(session)

    monkeypatch.setattr(AioSession, "get_credentials", looked)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweed.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweed.secret_access_key)
    bounds = {"timeout_seconds": 5, "connect_timeout_seconds": 60}
    async with made(seaweed, access_key_id=None, secret_access_key=None, **bounds):
        assert 5 < left[0] <= 60


async def test_without_any_key_it_is_said_what_to_do(
    seaweed: SeaweedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(AuthenticationError, match="Set access_key_id"):
        await made(seaweed, access_key_id=None, secret_access_key=None).connect()
