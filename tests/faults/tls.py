"""TLS before a server that speaks none, with a certificate made for the test."""

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

_CHUNK = 65536


class Certificate:
    """Signed by itself, for 127.0.0.1 and nothing else; its file is its authority, too.

    Attributes:
        file: The certificate, in PEM.
        key: Its private key.
    """

    def __init__(self, folder: Path, name: str = "server") -> None:
        self.file, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        program = shutil.which("openssl")
        if program is None:
            pytest.skip("there is no 'openssl' on PATH to make a certificate")
        command = [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        command += ["-nodes", "-days", "1", "-subj", f"/CN={name}"]
        command += ["-addext", "subjectAltName=IP:127.0.0.1"]
        command += ["-out", str(self.file), "-keyout", str(self.key)]
        subprocess.run(command, check=True, capture_output=True)


class TlsDoor:
    """Ends TLS and passes what is inside on to `127.0.0.1:target`.

    Attributes:
        port: Where it listens.
    """

    def __init__(self, target: int, certificate: Certificate) -> None:
        self.port = 0
        self._target = target
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.file, certificate.key)
        self._links: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        assert link is not None
        self._links.add(link)
        there = None
        try:
            inner, there = await asyncio.open_connection("127.0.0.1", self._target)
            await asyncio.gather(_pass_on(reader, there), _pass_on(inner, writer))
        finally:
            self._links.discard(link)
            writer.transport.abort()
            if there is not None:
                there.transport.abort()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    writer.close()
