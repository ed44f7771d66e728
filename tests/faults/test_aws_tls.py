"""Services of AWS behind TLS: a certificate is verified, and what is wrong with it is said."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from infrastructure.connections.external.s3 import S3ConnectionManager, S3Settings
from infrastructure.errors import AuthenticationError, ConfigurationError, UnavailableError
from infrastructure.servers.seaweedfs import SeaweedServer
from tests.aws_address import aws_address
from tests.faults.tls import Certificate, TlsDoor


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def door(seaweed: SeaweedServer, certificate: Certificate) -> AsyncIterator[TlsDoor]:
    async with TlsDoor(urlsplit(seaweed.url).port or 0, certificate) as door:
        yield door


def behind(door: TlsDoor, server: SeaweedServer, **changed: Any) -> S3ConnectionManager:
    endpoint = {"endpoint_url": f"https://127.0.0.1:{door.port}", "connect_attempts": 1}
    settings = S3Settings.model_validate(aws_address(server, **endpoint, **changed))
    return S3ConnectionManager(settings, name="files")


async def test_a_trusted_certificate_lets_everything_through(
    door: TlsDoor, seaweed: SeaweedServer, certificate: Certificate
):
    async with behind(door, seaweed, tls_ca_file=certificate.file) as store:
        await store.put("sealed", b"text")
        assert await store.get("sealed") == b"text"


async def test_a_certificate_nobody_vouches_for_is_refused(door: TlsDoor, seaweed: SeaweedServer):
    with pytest.raises(AuthenticationError, match="is not trusted"):
        await behind(door, seaweed).connect()


async def test_a_server_without_tls_is_told_as_such(seaweed: SeaweedServer):
    endpoint = seaweed.url.replace("http://", "https://")
    settings = S3Settings.model_validate(
        aws_address(seaweed, endpoint_url=endpoint, connect_attempts=1)
    )
    with pytest.raises(UnavailableError, match=r"no TLS with .*127\.0\.0\.1"):
        await S3ConnectionManager(settings, name="files").connect()


async def test_a_file_of_authorities_that_is_none_is_a_wrong_setting(
    door: TlsDoor, seaweed: SeaweedServer, tmp_path: Path
):
    with pytest.raises(ConfigurationError, match="tls_ca_file"):
        await behind(door, seaweed, tls_ca_file=tmp_path / "nowhere.pem").connect()
