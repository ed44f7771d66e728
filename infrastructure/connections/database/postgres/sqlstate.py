"""What PostgreSQL's refusals mean, by their sqlstate, whichever driver brings them."""

import os
import socket
import ssl

from infrastructure.connections.database.conflicts import TransactionConflictError
from infrastructure.connections.database.postgres.settings import PostgresSettings
from infrastructure.errors import (
    AuthenticationError,
    ConflictError,
    DataError,
    DeadlineExceededError,
    InfrastructureError,
    NotFoundError,
    OverloadedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)

#: By sqlstate, else by its first two characters: the class of the state.
_ERRORS: dict[str, type[InfrastructureError]] = {
    "08": UnavailableError,
    "0A": UnsupportedError,
    "23505": ConflictError,
    "23P01": ConflictError,
    "28": AuthenticationError,
    "3D000": NotFoundError,
    "40": TransactionConflictError,
    "53": OverloadedError,
    "55P03": OverloadedError,
    "57": UnavailableError,
    "58": UnavailableError,
    "XX001": DataError,
    "XX002": DataError,
}
_HINTS = {
    "28": "Check the user and the password.",
    "3D000": "Create the database, or correct its name.",
    "40": "Run the whole transaction again.",
    "53": "Wait, or lower pool_size over all processes.",
}
#: The class whose messages quote the values that were sent.
_QUOTES_VALUES = "22"
#: What a commit is answered with that the server has turned into a rollback.
ROLLED_BACK = "25P02"
ROLLED_BACK_SAYS = "rolled back on commit, since a statement of it had failed"


def refusal(state: str, said: str, error: BaseException, *, where: str) -> InfrastructureError:
    """Our error for what the server, or the driver, refused.

    Args:
        state: The sqlstate; empty where the driver refused by itself.
        said: What it said.
        error: The driver's error.
        where: The manager's name.
    """
    kind = _ERRORS.get(state) or _ERRORS.get(state[:2], RejectedError)
    quotes_values = state.startswith(_QUOTES_VALUES) or isinstance(error, ValueError)
    what = "a value does not fit" if quotes_values else said
    hint = _HINTS.get(state) or _HINTS.get(state[:2], "")
    return kind(f"{what} ({state or type(error).__name__})", where=where, hint=hint)


def not_reached(
    error: BaseException, settings: PostgresSettings, *, where: str
) -> InfrastructureError | None:
    """Our error for one of the network's; None when it is another."""
    if isinstance(error, TimeoutError):
        return DeadlineExceededError(settings.timeout_seconds, where=where)
    if isinstance(error, ssl.SSLCertVerificationError):
        return AuthenticationError(
            f"the certificate of PostgreSQL at {settings.place()} is not trusted: "
            f"{error.verify_message}",
            where=where,
            hint="Name its authority as sslrootcert in the url.",
        )
    if isinstance(error, OSError):
        # the numbers of the resolver and of TLS are none of the system's
        is_systems = not isinstance(error, socket.gaierror | ssl.SSLError)
        said = os.strerror(error.errno) if is_systems and error.errno else error.strerror
        return UnavailableError(
            f"no connection to PostgreSQL at {settings.place()} ({said or type(error).__name__})",
            where=where,
            hint="Is the server running?",
        )
    return None
