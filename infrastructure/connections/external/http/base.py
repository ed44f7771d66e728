"""What every service over HTTP stands on: requests made, repeated and read, all of it bounded."""

from collections.abc import AsyncGenerator, Collection, Mapping
from typing import Any
from urllib.parse import urlencode

import httpx

from infrastructure.connections.external.http.answers import HttpResponse
from infrastructure.connections.external.http.auth import REFUSED_CLIENT, Authorization
from infrastructure.connections.external.http.bodies import pieces_of, whole_body
from infrastructure.connections.external.http.calls import Body, Call, Params, call_of
from infrastructure.connections.external.http.life import HttpLife
from infrastructure.connections.external.http.place import configured
from infrastructure.connections.http_refusals import refusal, told
from infrastructure.errors import (
    AuthenticationError,
    DeadlineExceededError,
    InfrastructureError,
    OutcomeUnknownError,
    RejectedError,
)

_MAX_REFUSAL_BYTES = 65_536
_UNAUTHORIZED = 401
_FAULTS = 500


class HttpManager(HttpLife):
    """Makes requests below one base URL; each kind says which.

    A request is made again, within `timeout_seconds` and after the wait the service asks for,
    where it cannot do harm: it was not sent, it was refused for now, or it changes no more by
    being made twice.
    """

    async def _ask(
        self,
        method: str,
        path: str,
        params: Params | None = None,
        *,
        json: Any = None,
        body: bytes | Body | None = None,
        headers: Mapping[str, str] | None = None,
        accepts: Collection[int] = (),
        repeatable: bool | None = None,
    ) -> HttpResponse:
        """Make a request and read its answer, as one call."""
        call: Call | None = None
        try:
            async with self.calling():
                call = self._call(
                    method, path, params=params, headers=headers, json=json, body=body
                )
                call.accepts = accepts
                call.repeatable = call.repeatable if repeatable is None else repeatable
                return await self._retry.run(self._once, call)
        except DeadlineExceededError as error:
            if call is not None and call.in_doubt:
                raise OutcomeUnknownError(
                    f"{call.label} was sent and its answer lost", where=self.name
                ) from error
            raise

    def _call(self, method: str, path: str, **given: Any) -> Call:
        """A request below the base URL; see `call_of`."""
        bound = self.settings.max_response_bytes
        url = self._live().place.below(path)
        return call_of(
            method, url, **{"params": None, "headers": None, "max_bytes": bound, **given}
        )

    async def _once(self, call: Call) -> HttpResponse:
        try:
            response = await self._begun(call)
        except RejectedError as error:
            if not call.is_carried_out:
                raise
            raise OutcomeUnknownError(
                f"{call.label} was carried out; where its result is, is not asked", where=self.name
            ) from error
        try:
            with self._live().losses(call):
                if call.method == "HEAD":  # its length is that of another answer
                    body = b"".join([piece async for piece in response.aiter_raw()])
                else:
                    body = await whole_body(response, max_bytes=call.max_bytes, where=self.name)
        finally:
            await response.aclose()
        return HttpResponse(response.status_code, response.headers, body, self.name)

    async def _begun(self, call: Call) -> httpx.Response:
        """An answer that is one, its body not read yet."""
        exchange, authorization = self._live(), self._authorization
        shown = await authorization.headers()
        response = await exchange.followed(call, shown, authorization.params)
        if self._is_to_nobody(call, response) and not call.is_carried_out:
            await exchange.drop(response)  # what it says is not repeated anyway
            call.is_sent = False
            if await self._renewed(authorization, shown):
                authorization = self._authorization
                shown = await authorization.headers()
                response = await exchange.followed(call, shown, authorization.params)
        is_answer = response.is_success or response.status_code in call.accepts
        if is_answer and not self._is_to_nobody(call, response):
            return response
        raise await self._refused(call, response, shown)

    def _is_to_nobody(self, call: Call, response: httpx.Response) -> bool:
        """Whether it is no answer, since the credentials were not taken."""
        status = response.status_code
        is_refused = status == _UNAUTHORIZED and _UNAUTHORIZED not in call.accepts
        return is_refused or self._is_anonymous(call, status, response.headers)

    def _is_anonymous(self, call: Call, status: int, headers: Mapping[str, str]) -> bool:  # noqa: ARG002 - a hook
        """Whether the service went on as if nobody had called, and says so elsewhere; a hook."""
        return False

    async def _renewed(self, used: Authorization, shown: Mapping[str, str]) -> bool:
        """Whether there is something else to show than what was refused."""
        if used.refused(shown):
            return True
        if self.credentials is None:
            return False
        if used is self._authorization:
            await self._renewing.do("credentials", self._take_credentials)
        now = self._authorization
        return (await now.headers(), now.params) != (shown, used.params)

    async def _refused(
        self, call: Call, response: httpx.Response, shown: Mapping[str, str]
    ) -> InfrastructureError:
        body = b""
        try:
            with self._live().losses(call):
                if not response.is_closed:
                    body = await whole_body(response, max_bytes=_MAX_REFUSAL_BYTES, where=self.name)
        except InfrastructureError:
            pass  # the status says enough
        finally:
            await response.aclose()
        if response.status_code < _FAULTS:
            self.note_answer()
        if call.is_carried_out:
            return OutcomeUnknownError(
                f"{call.label} was carried out; where its result is, "
                f"the answer was {response.status_code}",
                where=self.name,
            )
        call.is_sent = False
        status = response.status_code
        if self._is_anonymous(call, status, response.headers):
            return AuthenticationError(
                f"{call.label} was answered {status}, as to nobody",
                where=self.name,
                hint="Check the credentials of this block.",
            )
        text = told(body, response.headers.get("content-type", ""))
        secrets = {*self._secrets, *(each.rpartition(" ")[2] for each in shown.values())}
        return refusal(
            response.status_code,
            text="" if any(each in text for each in secrets) else text,
            headers=response.headers,
            where=self.name,
            what=call.label,
            is_repeatable=call.repeatable,
        )

    async def _pieces(
        self, path: str, params: Params | None, headers: Mapping[str, str] | None, max_bytes: int
    ) -> AsyncGenerator[bytes, None]:
        """The body of a GET in pieces; `timeout_seconds` bounds each wait for one."""
        response: httpx.Response | None = None
        try:
            async with self.calling():
                call = self._call("GET", path, params=params, headers=headers)
                response = await self._retry.run(self._begun, call)
                self.drain.in_flight += 1  # a call goes on until its whole body was read
            pieces = pieces_of(response, max_bytes=max_bytes, where=self.name)
            while True:
                async with self.bounded():
                    with self._live().losses(call):
                        piece = await anext(pieces, None)
                if piece is None:
                    return
                yield piece
        finally:
            if response is not None:
                self.drain.end()
                await response.aclose()

    async def _posted(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str]
    ) -> HttpResponse:
        """Post a form to another URL than those of the service, without its credentials."""
        call = Call(
            method="POST",
            url=configured(url, self.name),
            headers={**headers, "content-type": "application/x-www-form-urlencoded"},
            content=urlencode(form).encode("ascii"),
            max_bytes=_MAX_REFUSAL_BYTES,
        )
        exchange = self._live()
        async with self.bounded():
            response = await exchange.sent(call)
            try:
                if not response.is_success and response.status_code not in REFUSED_CLIENT:
                    raise await self._refused(call, response, headers)
                with exchange.losses(call):
                    body = await whole_body(response, max_bytes=call.max_bytes, where=self.name)
            finally:
                await response.aclose()
        return HttpResponse(response.status_code, response.headers, body, self.name)
