"""What every file of the object store's manager stands on."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar

from botocore.handlers import add_expect_header

from infrastructure.connections.external.aws.errors import ForbiddenError
from infrastructure.connections.external.aws.manager import AwsConnectionManager
from infrastructure.connections.external.s3.errors import CODES
from infrastructure.connections.external.s3.objects import bare
from infrastructure.connections.external.s3.settings import S3Settings
from infrastructure.errors import DataError, InfrastructureError, NotFoundError, RejectedError

_MAX_KEY_BYTES = 1024


class S3Base(AwsConnectionManager):
    """One bucket."""

    Settings: ClassVar[type[S3Settings]] = S3Settings
    settings: S3Settings
    service: ClassVar[str] = "s3"
    codes: ClassVar[Mapping[str, type[InfrastructureError]]] = CODES

    def about(self, key: str) -> dict[str, Any]:
        """The parameters that say which object.

        Raises:
            RejectedError: It is no key.
        """
        try:
            length = len(key.encode())
        except UnicodeEncodeError:  # half a character, as some file names have
            length = 0
        if not 0 < length <= _MAX_KEY_BYTES:
            raise RejectedError(
                f"a key has 1 to {_MAX_KEY_BYTES} bytes of UTF-8, found {key[:50]!r}",
                where=self.name,
            )
        return {"Bucket": self.settings.bucket, "Key": key}

    def conditions(self, if_match: str, *, if_absent: bool) -> dict[str, str]:
        """The parameters that say what must be there for a write to be done.

        Raises:
            RejectedError: One contradicts the other.
        """
        if if_match and if_absent:
            raise RejectedError("if_match and if_absent exclude each other", where=self.name)
        if if_absent:
            return {"IfNoneMatch": "*"}
        return {"IfMatch": f'"{bare(if_match)}"'} if if_match else {}

    def etag(self, answer: Mapping[str, Any]) -> str:
        """That of the object it is about.

        Raises:
            DataError: There is none, so something between has answered in the store's place.
        """
        if not answer.get("ETag"):
            raise DataError(
                "the answer cannot be read: it has no ETag",
                where=self.name,
                hint="Is there something between that answers in its place?",
            )
        return bare(answer["ETag"])

    def _options(self) -> dict[str, Any]:
        settings = self.settings
        addressing = settings.addressing or ("path" if settings.endpoint_url else "virtual")
        return {"signature_version": "s3v4", "s3": {"addressing_style": addressing}}

    async def _open(self) -> None:
        await super()._open()
        # What is sent at once is sent without asking first, which would double its way.
        events = self._client.meta.events
        events.unregister("before-call.s3", add_expect_header)
        events.register("before-call.s3.UploadPart", add_expect_header)

    async def _look(self) -> None:
        """Who may not list, or has yet to create the bucket, is let in all the same."""
        with suppress(ForbiddenError, NotFoundError):
            await self._list_one()

    async def _ping(self) -> str:
        bucket = self.settings.bucket
        try:
            with suppress(ForbiddenError):
                await self._list_one()
        except NotFoundError as error:
            raise NotFoundError(
                f"there is no bucket '{bucket}'", where=self.name, hint="ensure_bucket() makes it."
            ) from error
        return f"S3 at {self.settings.place()} answered for the bucket '{bucket}'"

    async def _list_one(self) -> None:
        """Unlike that of a HEAD, its refusal says whether a key or a permission is wrong."""
        bucket = self.settings.bucket
        parameters = {"Bucket": bucket, "MaxKeys": 1}
        await self.send("list_objects_v2", bucket, parameters, is_repeatable=True)
