"""Sends the parts of one upload: a few at a time, each tried a few times."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from typing import Any

from infrastructure.connections.external.s3.base import S3Base
from infrastructure.connections.external.s3.parts import MOST_PARTS, SentPart, checksum
from infrastructure.errors import RejectedError
from infrastructure.resilience import ExponentialBackoffStrategy, Retry

_FIRST_WAIT_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 2.0


class Sending:
    """Parts on their way; in memory are those being sent and the next one.

    Args:
        store: Who asks.
        about: The parameters that say which upload.
        there: What the store has already, by number.

    Attributes:
        size_bytes: Of all parts so far, sent now or before.
    """

    def __init__(self, store: S3Base, about: dict[str, Any], there: Mapping[int, SentPart]) -> None:
        settings = store.settings
        self._store = store
        self._about = about
        self._there = there
        self._turns = asyncio.Semaphore(settings.parallel_parts)
        self._retry = Retry(
            settings.part_attempts,
            ExponentialBackoffStrategy(_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS),
            dependency=store.name,
            name=f"{store.name}.upload_part",
        )
        self._has_failed = False
        self._tasks: list[asyncio.Task[None]] = []
        self._sent: dict[int, dict[str, Any]] = {}
        self.size_bytes = 0

    async def run(self, parts: AsyncIterator[bytes]) -> None:
        """Send what is not there.

        After a failure no other part is begun, and those under way are let end: what goes on
        later has them.

        Raises:
            RejectedError: There are too many parts.
            InfrastructureError: What a part failed with.
        """
        wrong: list[BaseException] = []
        try:
            try:
                await self._hand_out(parts)
            except Exception as error:  # noqa: BLE001 - raised below, with what is under way ended
                wrong = [error]
            wrong += await self._failures()
        except BaseException:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            raise
        if wrong:
            raise wrong[0]

    def sent(self) -> list[dict[str, Any]]:
        """What completing the upload is told, by number."""
        return [self._sent[number] for number in sorted(self._sent)]

    async def _hand_out(self, parts: AsyncIterator[bytes]) -> None:
        for number in itertools.count(1):
            await self._turns.acquire()  # before the part is read, for it is kept in memory
            part = None if self._has_failed else await anext(parts, None)
            if part is None:
                return
            if number > MOST_PARTS:
                raise RejectedError(
                    f"more than {MOST_PARTS} parts",
                    where=self._store.name,
                    hint="Raise part_bytes.",
                )
            self.size_bytes += len(part)
            self._tasks.append(asyncio.create_task(self._send(number, part)))
            del part

    async def _failures(self) -> list[BaseException]:
        done = await asyncio.gather(*self._tasks, return_exceptions=True)
        return [each for each in done if each is not None]

    async def _send(self, number: int, part: bytes) -> None:
        try:
            crc32 = await asyncio.to_thread(checksum, part)
            there = self._there.get(number)
            if there is not None and await asyncio.to_thread(there.is_of, part, crc32):
                etag = f'"{there.etag}"'
            else:
                etag = await self._retry.run(self._put, number, part, crc32)
            self._sent[number] = {"PartNumber": number, "ETag": etag, "ChecksumCRC32": crc32}
        except BaseException:
            self._has_failed = True
            raise
        finally:
            self._turns.release()

    async def _put(self, number: int, part: bytes, crc32: str) -> str:
        answer = await self._store.ask(
            "upload_part",
            subject=self._about["Key"],
            Body=part,
            ChecksumCRC32=crc32,
            PartNumber=number,
            **self._about,
        )
        return f'"{self._store.etag(answer)}"'
