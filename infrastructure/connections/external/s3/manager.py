"""A bucket of an object store that speaks S3: AWS, SeaweedFS, MinIO, Ceph and others."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from infrastructure.connections.base import ConnectionType
from infrastructure.connections.external.aws.errors import kind_of
from infrastructure.connections.external.base import ExternalRegistry
from infrastructure.connections.external.s3.errors import OwnBucketError
from infrastructure.connections.external.s3.objects import ObjectInfo, encoded, moment
from infrastructure.connections.external.s3.reading import S3Reading
from infrastructure.connections.external.s3.uploading import S3Uploading
from infrastructure.errors import DataError, InfrastructureError, NotFoundError, RejectedError
from infrastructure.resilience import idempotent

_MOST_DELETED = 1000
#: Signatures of version 4 count no longer (AWS documentation, "query string authentication").
_LONGEST_PRESIGN_SECONDS = 7 * 24 * 3600
_HOME = "us-east-1"


@dataclass(frozen=True, slots=True)
class Deleted:
    """What became of each key.

    Attributes:
        keys: Those that are gone, or were not there.
        failed: Why the others are still there.
    """

    keys: tuple[str, ...]
    failed: Mapping[str, InfrastructureError]


@ExternalRegistry.register(ConnectionType.S3)
class S3ConnectionManager(S3Reading, S3Uploading):
    """Objects by key in one bucket.

    Raises (every call):
        UnavailableError: No answer within `timeout_seconds`; a write may have been done.
        OverloadedError: The store asks for fewer requests, or all `max_connections` were in use.
        AuthenticationError: The credentials do not count, or may not do this.
        RejectedError: The store refused it.
    """

    operations = frozenset({"copy", "delete", "delete_many", "ensure_bucket"})

    async def ensure_bucket(self) -> bool:
        """Create the bucket unless it is there; say whether it was created.

        Raises:
            ConflictError: Its name is taken by somebody else.
        """
        bucket = self.settings.bucket
        try:
            await self.ask("head_bucket", subject=bucket, Bucket=bucket)
        except NotFoundError:
            with suppress(OwnBucketError):  # another of ours was quicker
                await self._create_bucket()
                return True
        return False

    async def copy(
        self,
        source: str,
        key: str,
        *,
        source_bucket: str = "",
        content_type: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectInfo:
        """Copy an object of up to 5 GB inside the store.

        Args:
            source: The key of what is copied.
            key: What the copy is called.
            source_bucket: Where the source is; empty for this bucket.
            content_type: Of the copy, where `metadata` is given: S3 replaces both or none.
            metadata: Of the copy; None keeps that of the source, and its content type.

        Raises:
            NotFoundError: There is no source.
            RejectedError: `content_type` without `metadata`, which would be lost.
        """
        if content_type and metadata is None:
            raise RejectedError("content_type needs metadata, replaced with it", where=self.name)
        parameters: dict[str, Any] = self.about(key)
        parameters["CopySource"] = {**self.about(source)} | (
            {"Bucket": source_bucket} if source_bucket else {}
        )
        if metadata is not None:
            parameters |= {
                "MetadataDirective": "REPLACE",
                "Metadata": encoded(metadata, self.name),
                **({"ContentType": content_type} if content_type else {}),
            }
        answer = await self.ask("copy_object", subject=source, **parameters)
        found = answer.get("CopyObjectResult", {})
        return ObjectInfo(
            key,
            etag=self.etag(found),
            modified_at=moment(found.get("LastModified")),
            version_id=answer.get("VersionId", ""),
        )

    @idempotent
    async def delete(self, key: str) -> None:
        """Delete an object; harmless when there is none."""
        await self.ask("delete_object", subject=key, **self.about(key))

    async def delete_many(self, keys: Iterable[str]) -> Deleted:
        """Delete objects, a thousand with each request, and say what became of each.

        When a request itself fails, its error is raised; it is safe to ask for all again.
        """
        gone: list[str] = []
        failed: dict[str, InfrastructureError] = {}
        waiting = iter(keys)
        while some := list(islice(waiting, _MOST_DELETED)):
            objects = [{"Key": self.about(key)["Key"]} for key in some]
            answer = await self.ask(
                "delete_objects",
                subject=some[0],
                Bucket=self.settings.bucket,
                Delete={"Objects": objects},
            )
            done = [found["Key"] for found in answer.get("Deleted", ())]
            gone += done
            failed |= {found["Key"]: self._why(found) for found in answer.get("Errors", ())}
            failed |= {
                key: DataError(f"of '{key}' nothing was told", where=self.name)
                for key in set(some).difference(done, failed)
            }
        return Deleted(tuple(gone), failed)

    async def presign_get(self, key: str, expires_seconds: int = 3600) -> str:
        """A URL by which anybody reads the object until it expires; treat it as a secret."""
        return await self._presigned("get_object", self.about(key), expires_seconds)

    async def presign_put(
        self, key: str, expires_seconds: int = 3600, *, content_type: str = ""
    ) -> str:
        """A URL by which anybody stores the object until it expires; treat it as a secret.

        Args:
            key: The one that may be written.
            expires_seconds: 1 second to 7 days.
            content_type: The one that must be sent with it; empty for any.
        """
        typed = {"ContentType": content_type} if content_type else {}
        return await self._presigned("put_object", self.about(key) | typed, expires_seconds)

    async def _presigned(self, operation: str, parameters: Any, expires_seconds: int) -> str:
        if not 1 <= expires_seconds <= _LONGEST_PRESIGN_SECONDS:
            raise RejectedError(
                f"a presigned URL counts for 1 to {_LONGEST_PRESIGN_SECONDS} seconds, "
                f"found {expires_seconds}",
                where=self.name,
            )
        async with self.calling():
            url: str = await self.client.generate_presigned_url(
                operation, Params=parameters, ExpiresIn=expires_seconds
            )
        return url

    async def _create_bucket(self) -> None:
        bucket, region = self.settings.bucket, self.settings.region
        place: dict[str, Any] = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        if region == _HOME:  # which is the one that may not be named
            place = {}
        await self.ask("create_bucket", subject=bucket, Bucket=bucket, **place)

    def _why(self, found: Mapping[str, str]) -> InfrastructureError:
        code = found.get("Code", "")
        kind = kind_of(code, 0, self.codes)
        return kind(f"'{found['Key']}' was not deleted ({code})", where=self.name)
