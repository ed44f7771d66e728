"""What the managers of AWS's services have in common: the client, its bounds, one request."""

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError
from botocore.loaders import create_loader

from infrastructure.connections.base import PoolStats
from infrastructure.connections.external.aws.errors import is_cut, lost, refusal, was_unsent
from infrastructure.connections.external.aws.settings import AwsSettings
from infrastructure.connections.external.aws.slots import Slots
from infrastructure.connections.external.base import ExternalConnectionManager
from infrastructure.connections.tls import tls_context
from infrastructure.errors import (
    AuthenticationError,
    DataError,
    InfrastructureError,
    OutcomeUnknownError,
    UnavailableError,
)

#: Descriptions of the services: read once a process, since that takes long.
_LOADER = create_loader()


class AwsConnectionManager(ExternalConnectionManager):
    """One client of one service, and its connections.

    The driver repeats nothing: a request is made once, and what is safe to repeat once more where
    a connection was cut under it. Everything beyond is for the block's `policy` to say.

    Attributes:
        service: The driver's name of it.
        codes: Our error for each code only this service answers with.
    """

    Settings: ClassVar[type[AwsSettings]]
    settings: AwsSettings
    service: ClassVar[str]
    codes: ClassVar[Mapping[str, type[InfrastructureError]]]

    _client: Any = None
    _slots: Slots | None = None

    @property
    def client(self) -> Any:
        """The driver's client, for what this class has no call for; it raises the driver's errors.

        Raises:
            UnavailableError: Not connected.
        """
        if self._client is None or self.loop is not asyncio.get_running_loop():
            raise UnavailableError("is not connected", where=self.name, hint="await connect()")
        return self._client

    @property
    def slots(self) -> Slots:
        """The bound on requests at a time of what is open now."""
        if self._slots is None:
            raise UnavailableError("is not connected", where=self.name, hint="await connect()")
        return self._slots

    def pool_stats(self) -> PoolStats:
        """Requests under way, each on its own connection; idle ones are the driver's to keep."""
        if self._slots is None or self.loop is None:
            return PoolStats(size=0, in_use=0, limit=0)
        slots = self._slots
        return PoolStats(size=slots.in_use, in_use=slots.in_use, limit=slots.limit)

    async def ping(self) -> None:
        """Ask for a sign of life, within `timeout_seconds`.

        Raises:
            UnavailableError: There was none.
        """
        async with self.calling():
            await self._ping()

    async def ask(
        self, operation: str, *, subject: str = "", is_repeatable: bool = True, **parameters: Any
    ) -> dict[str, Any]:
        """One request and its answer, within `timeout_seconds`.

        Args:
            operation: A method of the driver's client.
            subject: What it is about, for errors.
            is_repeatable: Whether doing it twice does no more than doing it once.
            parameters: Of the operation.

        Raises:
            OutcomeUnknownError: It was sent, not safe to repeat, and not answered.
        """
        is_under_way = False
        try:
            async with self.calling(), self.slots:
                is_under_way = self._client is not None
                return await self.send(operation, subject, parameters, is_repeatable=is_repeatable)
        except UnavailableError as error:
            if is_repeatable or not is_under_way or was_unsent(error.__cause__):
                raise
            raise OutcomeUnknownError(
                f"{operation} of '{subject}' was sent, and the answer lost ({error.what})",
                where=self.name,
                hint="Look whether it was done before doing it again.",
            ) from error

    async def send(
        self, operation: str, subject: str, parameters: dict[str, Any], *, is_repeatable: bool
    ) -> dict[str, Any]:
        """As `ask`, inside a call that is bounded already."""
        if self._client is None:  # closed without waiting any longer, while it waited for a slot
            raise UnavailableError("was closed before it could ask", where=self.name)
        call = getattr(self._client, operation)
        try:
            try:
                return await call(**parameters)  # type: ignore[no-any-return]  # the driver has no types
            except Exception as error:
                if not (is_repeatable and is_cut(error)):
                    raise
            return await call(**parameters)  # type: ignore[no-any-return]  # the same
        except ClientError as error:
            ours = self.refused(error, subject)
            # what was signed may stand in the driver's text
            raise ours from (None if isinstance(ours, AuthenticationError) else error)

    def following(
        self, page: Mapping[str, Any], asked: Mapping[str, Any], marks: Mapping[str, str]
    ) -> dict[str, Any]:
        """The parameters that ask for the page behind this one; empty behind the last.

        Args:
            page: An answer.
            asked: What it was asked with.
            marks: Parameters, by the name a page tells their next value under.

        Raises:
            DataError: It is not the last, and leads nowhere else than before.
        """
        found = {name: page[told] for told, name in marks.items() if page.get(told)}
        if not page.get("IsTruncated", bool(found)):
            return {}
        if not found or found.items() <= asked.items():
            raise DataError("a page does not say how to ask for the next", where=self.name)
        return found

    def refused(self, error: ClientError, subject: str) -> InfrastructureError:
        """Our error for an answer that says no."""
        return refusal(error, self.codes, subject=subject, where=self.name)

    def translated(self, error: Exception) -> InfrastructureError | None:
        """Our error for one of the driver's, by its type or code."""
        if isinstance(error, ClientError):
            return self.refused(error, "")
        return lost(error, self.settings, self.name)

    async def _open(self) -> None:
        settings = self.settings
        session = AioSession()
        session.register_component("data_loader", _LOADER)
        making = session.create_client(
            self.service,
            region_name=settings.region,
            endpoint_url=settings.endpoint_url,
            verify=self._trusted(),
            aws_access_key_id=settings.access_key_id,
            aws_secret_access_key=_plain(settings.secret_access_key),
            aws_session_token=_plain(settings.session_token),
            config=AioConfig(
                warm_up_loader_caches=True,
                max_pool_connections=settings.max_connections,
                connect_timeout=settings.connect_timeout_seconds,
                read_timeout=settings.timeout_seconds,
                retries={"total_max_attempts": 1},
                **self._options(),
            ),
        )
        try:  # without a bound of its own: to find credentials may take longer than a call
            self._client = await making.__aenter__()
        except Exception as error:
            if ours := self.translated(error):
                raise ours from error
            raise
        self._slots = Slots(settings.max_connections, settings.slot_seconds, self.name)
        try:
            async with self.bounded():
                await self._look()
        except BaseException:
            await self._close()
            raise

    async def _close(self) -> None:
        client, self._client, self._slots = self._client, None, None
        if client is not None:
            await client.close()

    def _options(self) -> dict[str, Any]:
        """What the service's client is told beyond what all are."""
        return {}

    @abstractmethod
    async def _look(self) -> None:
        """One request that says whether the credentials count."""

    def _trusted(self) -> bool | str | None:
        """Whom TLS trusts; without TLS, no authorities are read, which takes its time."""
        file = self.settings.tls_ca_file
        if (self.settings.endpoint_url or "").startswith("http://"):
            return False
        if file is None:
            return None
        tls_context(file, self.name)  # says what is wrong with it, as for every kind
        return str(file)


def _plain(secret: Any) -> str | None:
    return secret.get_secret_value() if secret else None
