"""What Chroma refuses, by its status; embedded and as a server it has the same ones."""

from infrastructure.errors import (
    AuthenticationError,
    ConflictError,
    InfrastructureError,
    NotFoundError,
    OverloadedError,
    RejectedError,
    UnavailableError,
)

_MAX_DETAIL = 300
_SERVER_FAULT = 500
_STATUS: dict[int, type[InfrastructureError]] = {
    401: AuthenticationError,
    403: AuthenticationError,
    404: NotFoundError,
    408: UnavailableError,
    409: ConflictError,
    429: OverloadedError,
}
_HINTS = {
    401: "Check api_key.",
    403: "Check api_key and what it may do.",
    413: "Lower batch_size.",
}


def refusal(status: int, said: str, where: str, *, secret: str = "") -> InfrastructureError:
    """Our error for one of Chroma's.

    Args:
        status: As in HTTP.
        said: What it said.
        where: The store's name.
        secret: What is not repeated.
    """
    kind = _STATUS.get(status, RejectedError if status < _SERVER_FAULT else UnavailableError)
    text = " ".join(said.split())
    text = text.replace(secret, "***") if secret else text
    detail = f": {text[:_MAX_DETAIL]}" if text else ""
    return kind(f"Chroma answered {status}{detail}", where=where, hint=_HINTS.get(status, ""))
