"""Writing to the object store: at once when small, else in parts that can be taken up again."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from infrastructure.connections.external.s3.base import S3Base
from infrastructure.connections.external.s3.objects import ObjectInfo, decoded, encoded
from infrastructure.connections.external.s3.parts import (
    SentPart,
    chained,
    checksum,
    first_two,
    part_bytes_before,
    part_bytes_for,
    told_part,
)
from infrastructure.connections.external.s3.sending import Sending
from infrastructure.connections.external.s3.sources import Source, length_of, parts_of
from infrastructure.errors import InfrastructureError, NotFoundError

_CONTENT_TYPE = "application/octet-stream"
_LEAVE_SECONDS = 1.0
_PAGE = 1000
_PART_MARKS = {"NextPartNumberMarker": "PartNumberMarker"}
#: Some stores tell one of the two.
_UPLOAD_MARKS = {"NextKeyMarker": "KeyMarker", "NextUploadIdMarker": "UploadIdMarker"}


@dataclass(frozen=True, slots=True)
class Upload:
    """One that was begun and neither completed nor aborted; its parts cost room.

    Attributes:
        key: Of the object it is to become.
        upload_id: What `continue_upload` and `abort_upload` take.
        started_at: In UTC.
    """

    key: str
    upload_id: str
    started_at: datetime


class S3Uploading(S3Base):
    """What writes objects; the store verifies the checksum of each request.

    `timeout_seconds` bounds each request: of what is sent in parts, each part.
    """

    operations = frozenset(
        {"abort_upload", "abort_uploads", "begin_upload", "continue_upload", "list_uploads", "put"}
    )

    async def put(
        self,
        key: str,
        data: Source,
        *,
        content_type: str = _CONTENT_TYPE,
        metadata: Mapping[str, str] | None = None,
        if_match: str = "",
        if_absent: bool = False,
    ) -> ObjectInfo:
        """Store bytes, a file, or what an async iterator of bytes gives.

        What is longer than `part_bytes` is sent in parts, which are removed when that fails; to
        be able to go on instead, use `begin_upload` and `continue_upload`.

        Args:
            key: Up to 1,024 bytes of UTF-8.
            data: Where it comes from; at most `part_bytes` x (`parallel_parts` + 3) is held. An
                iterator is read once: no retry of a policy begins with what is left of it.
            content_type: What it is served as.
            metadata: Lower-case names and any text, 2 KB in all.
            if_match: Only over the object with this `etag`.
            if_absent: Only where there is none.

        Raises:
            ConflictError: A condition did not hold.
            OutcomeUnknownError: A conditional write, or the end of one in parts, was sent and not
                answered.
            NotFoundError: There is no such bucket, or no object for `if_match`.
        """
        conditions = self.conditions(if_match, if_absent=if_absent)
        about = self._described(key, content_type, metadata)
        usual, size = self.settings.part_bytes, await length_of(data)
        async with parts_of(data, part_bytes_for(size, usual)) as parts:
            held = await first_two(parts)
            if len(held) > 1:
                return await self._put_parts(key, chained(held, parts), about, conditions)
            (body,) = held
            answer = await self.ask(
                "put_object",
                subject=key,
                is_repeatable=not conditions,
                Body=body,
                ChecksumCRC32=checksum(body),
                **about,
                **conditions,
            )
        return self._stored(about, len(body), answer)

    async def begin_upload(
        self,
        key: str,
        *,
        content_type: str = _CONTENT_TYPE,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """Begin one in parts; gives its upload id, to be kept for `continue_upload`."""
        about = self._described(key, content_type, metadata)
        # a second one would be as good, and the first be ended by `abort_uploads`
        answer = await self.ask(
            "create_multipart_upload", subject=key, ChecksumAlgorithm="CRC32", **about
        )
        return str(answer["UploadId"])

    async def continue_upload(
        self,
        key: str,
        upload_id: str,
        data: Source,
        *,
        if_match: str = "",
        if_absent: bool = False,
    ) -> ObjectInfo:
        """Send the parts that are not there yet, and complete the object.

        What is there is asked of the store. A part counts as there when its length and its
        checksum are those of the same part of `data`, which is the whole object each time. When
        it fails, what was sent stays, and the same call goes on with it.

        Raises:
            NotFoundError: There is no such upload: it was completed or aborted.
            ConflictError: A condition did not hold; the upload is still there.
            OutcomeUnknownError: All was sent, and whether the object was made is not known.
        """
        conditions = self.conditions(if_match, if_absent=if_absent)
        there = {part.number: part async for part in self._parts(key, upload_id)}
        length = part_bytes_before(there, await length_of(data), self.settings.part_bytes)
        async with parts_of(data, length) as parts:
            return await self._finish(key, upload_id, parts, there, conditions)

    async def abort_upload(self, key: str, upload_id: str) -> None:
        """Forget its parts; harmless when it is no more."""
        with suppress(NotFoundError):
            await self.ask(
                "abort_multipart_upload", subject=key, UploadId=upload_id, **self.about(key)
            )

    async def list_uploads(self, prefix: str = "") -> AsyncGenerator[Upload, None]:
        """Every upload that was begun and not ended, of keys that begin with `prefix`."""
        given: dict[str, Any] = {"Bucket": self.settings.bucket, "MaxUploads": _PAGE}
        given |= {"Prefix": prefix} if prefix else {}
        while True:
            page = await self.ask("list_multipart_uploads", subject=prefix, **given)
            for found in page.get("Uploads", ()):
                started_at = found["Initiated"].astimezone(UTC)
                yield Upload(found["Key"], found["UploadId"], started_at)
            if not (further := self.following(page, given, _UPLOAD_MARKS)):
                return
            given |= further

    async def abort_uploads(self, older_than_seconds: float, prefix: str = "") -> int:
        """Abort those that were begun longer ago; says how many."""
        latest = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
        old = [each async for each in self.list_uploads(prefix) if each.started_at <= latest]
        for upload in old:
            await self.abort_upload(upload.key, upload.upload_id)
        return len(old)

    async def _put_parts(
        self,
        key: str,
        parts: AsyncIterator[bytes],
        about: Mapping[str, Any],
        conditions: Mapping[str, str],
    ) -> ObjectInfo:
        begun = await self.ask(
            "create_multipart_upload", subject=key, ChecksumAlgorithm="CRC32", **about
        )
        upload_id = begun["UploadId"]
        try:
            info = await self._finish(key, upload_id, parts, {}, conditions)
        except BaseException:
            # also when cancelled: parts that nobody knows of cost room for ever
            with suppress(InfrastructureError, TimeoutError):
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await self.abort_upload(key, upload_id)
            raise
        return replace(info, content_type=about["ContentType"], metadata=decoded(about["Metadata"]))

    async def _finish(
        self,
        key: str,
        upload_id: str,
        parts: AsyncIterator[bytes],
        there: Mapping[int, SentPart],
        conditions: Mapping[str, str],
    ) -> ObjectInfo:
        sending = Sending(self, self.about(key) | {"UploadId": upload_id}, there)
        await sending.run(parts)
        answer = await self.ask(
            "complete_multipart_upload",
            subject=key,
            is_repeatable=False,
            MultipartUpload={"Parts": sending.sent()},
            UploadId=upload_id,
            **self.about(key),
            **conditions,
        )
        return self._stored({"Key": key}, sending.size_bytes, answer)

    async def _parts(self, key: str, upload_id: str) -> AsyncIterator[SentPart]:
        given: dict[str, Any] = {"UploadId": upload_id, **self.about(key)}
        while True:
            page = await self.ask("list_parts", subject=key, **given)
            for found in page.get("Parts", ()):
                yield told_part(found)
            if not (further := self.following(page, given, _PART_MARKS)):
                return
            given |= further

    def _described(
        self, key: str, content_type: str, metadata: Mapping[str, str] | None
    ) -> dict[str, Any]:
        described = {"ContentType": content_type, "Metadata": encoded(metadata or {}, self.name)}
        return {**self.about(key), **described}

    def _stored(
        self, about: Mapping[str, Any], size_bytes: int, answer: Mapping[str, Any]
    ) -> ObjectInfo:
        return ObjectInfo(
            about["Key"],
            size_bytes=size_bytes,
            etag=self.etag(answer),
            content_type=about.get("ContentType", ""),
            metadata=decoded(about.get("Metadata", {})),
            version_id=answer.get("VersionId", ""),
        )
