"""What an HTTP answer that is not an answer means, for every provider that speaks HTTP."""

from collections.abc import Mapping
from http import HTTPStatus

from infrastructure.connections.http_refusals import retry_after, shortened
from infrastructure.errors import (
    AuthenticationError,
    ConflictError,
    InfrastructureError,
    NotFoundError,
    OverloadedError,
    RejectedError,
    UnavailableError,
)

_TOO_LONG = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_LEAVES: dict[int, tuple[type[InfrastructureError], str]] = {
    HTTPStatus.NOT_FOUND: (NotFoundError, "Check the model's name and base_url"),
    HTTPStatus.REQUEST_TIMEOUT: (UnavailableError, ""),
    HTTPStatus.CONFLICT: (ConflictError, ""),
}


class ContextLengthError(RejectedError):
    """The conversation is longer than the model's context.

    Attributes:
        prompt_tokens: Length of the conversation, where the provider said.
        context_tokens: What the model can hold, where the provider said.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        hint: str = "Shorten the conversation",
        prompt_tokens: int | None = None,
        context_tokens: int | None = None,
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.prompt_tokens = prompt_tokens
        self.context_tokens = context_tokens


def refusal(
    status: int, *, code: str, text: str, headers: Mapping[str, str], where: str
) -> InfrastructureError:
    """The error an HTTP status and the provider's own error code stand for.

    Args:
        status: The HTTP status.
        code: The machine-readable code or type in the body; empty when there is none.
        text: What the provider wrote; shortened here, and left out when it refuses credentials,
            since some servers repeat them.
        headers: Read for `Retry-After`, lower-case keys.
        where: The provider path.
    """
    what = f"the provider answered {status}{f' {code}' if code else ''}"
    said = f"{what}: {shortened(text)}" if text else what
    if code in _TOO_LONG:
        return ContextLengthError(said, where=where)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return AuthenticationError(what, where=where, hint="Check the key of this block")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return OverloadedError(said, where=where, retry_after_seconds=retry_after(headers))
    other = UnavailableError if status >= HTTPStatus.INTERNAL_SERVER_ERROR else RejectedError
    leaf, hint = _LEAVES.get(status, (other, ""))
    return leaf(said, where=where, hint=hint)
