"""Reading from the object store: whole objects, ranges, streams and listings."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

from infrastructure.connections.external.s3.base import S3Base
from infrastructure.connections.external.s3.objects import ObjectInfo, listed, told
from infrastructure.errors import DataError, RejectedError, StreamTruncatedError
from infrastructure.resilience import idempotent

_CHUNK_BYTES = 256 * 1024
_PAGE = 1000
_MARKS = {"NextContinuationToken": "ContinuationToken"}


class S3Reading(S3Base):
    """What changes nothing.

    Where the store tells the checksum of the whole object, what was read is held against it.
    """

    operations = frozenset({"get", "get_with_info", "head", "list", "stream"})

    @idempotent
    async def get(
        self, key: str, *, first_byte: int = 0, last_byte: int | None = None, if_match: str = ""
    ) -> bytes:
        """The object, or the bytes of it from `first_byte` to `last_byte`, both included.

        With `if_match`, only the object with this `etag`: ranges read one by one are of one object.

        Raises:
            NotFoundError: There is no such key.
            ConflictError: It is another one than `if_match` says.
            RejectedError: It is longer than `max_get_bytes`, or begins after its end.
            StreamTruncatedError: The answer broke off.
        """
        _, data = await self.get_with_info(
            key, first_byte=first_byte, last_byte=last_byte, if_match=if_match
        )
        return data

    @idempotent
    async def get_with_info(
        self, key: str, *, first_byte: int = 0, last_byte: int | None = None, if_match: str = ""
    ) -> tuple[ObjectInfo, bytes]:
        """As `get`, with what is told of the object: its `etag` is what `put(if_match=)` takes."""
        parameters = self._reading(key, first_byte, last_byte, if_match)
        async with self.calling(), self.slots:
            answer = await self.send("get_object", key, parameters, is_repeatable=True)
            async with answer["Body"] as body:
                info = told(key, answer, self.etag(answer))
                self._check_length(key, answer.get("ContentLength"))
                data = await self._read(body)
        return info, data

    @idempotent
    async def head(self, key: str) -> ObjectInfo:
        """What is told of the object.

        Raises:
            NotFoundError: There is no such key.
        """
        answer = await self.ask("head_object", subject=key, **self.about(key))
        return told(key, answer, self.etag(answer))

    async def stream(
        self, key: str, *, first_byte: int = 0, last_byte: int | None = None, if_match: str = ""
    ) -> AsyncGenerator[bytes, None]:
        """The object in pieces, of any length up to 256 KiB, or a range of it.

        It holds a connection until its end or until it is closed: whoever may leave early puts
        it into `contextlib.aclosing`. `timeout_seconds` bounds the way to each piece.

        Raises:
            NotFoundError: There is no such key.
            ConflictError: It is another one than `if_match` says.
            StreamTruncatedError: It broke off; go on from there with `first_byte`, and with the
                `etag` of `head` as `if_match`, lest the rest be that of another object.
            DataError: It has another checksum than what was stored.
        """
        parameters = self._reading(key, first_byte, last_byte, if_match)
        async with AsyncExitStack() as held:
            async with self.calling():
                self.drain.in_flight += 1  # a call goes on until its whole body was read
                held.callback(self.drain.end)
                await held.enter_async_context(self.slots)
                answer = await self.send("get_object", key, parameters, is_repeatable=True)
                body = await held.enter_async_context(answer["Body"])
                self.etag(answer)  # what has none is no object
            while True:
                async with self.bounded():
                    piece = await self._read(body, _CHUNK_BYTES)
                if not piece:
                    return
                yield piece

    async def list(
        self, prefix: str = "", *, delimiter: str = "", after: str = ""
    ) -> AsyncGenerator[ObjectInfo, None]:
        """Every object whose key begins with `prefix`, by key, page by page.

        Args:
            prefix: Empty for all.
            delimiter: With "/", what lies deeper is told once, as its common prefix.
            after: Only keys behind this one.
        """
        parameters = {"Prefix": prefix, "Delimiter": delimiter, "StartAfter": after}
        given: dict[str, Any] = {name: text for name, text in parameters.items() if text}
        given |= {"Bucket": self.settings.bucket, "MaxKeys": _PAGE}
        while True:
            page = await self.ask("list_objects_v2", subject=prefix, **given)
            if "Name" not in page:  # something between has answered in the store's place
                raise DataError("the listing cannot be read", where=self.name)
            for info in _entries(page):
                yield info
            if not (further := self.following(page, given, _MARKS)):
                return
            given |= further

    async def _read(self, body: Any, most_bytes: int | None = None) -> bytes:
        """A piece of a body, or all of it."""
        try:
            return await body.read(most_bytes)  # type: ignore[no-any-return]  # the driver has no types
        except RuntimeError as error:  # how aiohttp says that our own side has closed it
            raise StreamTruncatedError(
                "the connection was closed while it was read",
                where=self.name,
                hint="Read it again.",
            ) from error

    def _reading(
        self, key: str, first_byte: int, last_byte: int | None, if_match: str
    ) -> dict[str, Any]:
        parameters: dict[str, Any] = {**self.about(key), "ChecksumMode": "ENABLED"}
        parameters |= self.conditions(if_match, if_absent=False)
        if first_byte < 0 or (last_byte is not None and last_byte < first_byte):
            raise RejectedError(
                f"a range ends behind its first byte, found {first_byte} to {last_byte}",
                where=self.name,
            )
        if first_byte or last_byte is not None:
            last = "" if last_byte is None else last_byte
            parameters["Range"] = f"bytes={first_byte}-{last}"
        return parameters

    def _check_length(self, key: str, length: int | None) -> None:
        limit = self.settings.max_get_bytes
        if length is None or length > limit:
            found = "a length nobody told" if length is None else f"{length} bytes"
            raise RejectedError(
                f"'{key}' has {found}, and get() reads up to {limit} bytes",
                where=self.name,
                hint="Read it with stream(), or raise max_get_bytes.",
            )


def _entries(page: dict[str, Any]) -> list[ObjectInfo]:
    """Objects and common prefixes, in the one order they have together."""
    found = [listed(entry) for entry in page.get("Contents", ())]
    found += [
        ObjectInfo(entry["Prefix"], is_prefix=True) for entry in page.get("CommonPrefixes", ())
    ]
    return sorted(found, key=lambda info: info.key.encode())
