"""TLS to servers whose certificate is verified."""

import ssl
from pathlib import Path

from infrastructure.errors import (
    AuthenticationError,
    ConfigurationError,
    InfrastructureError,
    UnavailableError,
)


def tls_context(ca_file: Path | None, where: str) -> ssl.SSLContext:
    """What verifies a server's certificate and that it is for the host; read from files once.

    Args:
        ca_file: The authorities to trust instead of the system's, in PEM.
        where: The provider path for errors.

    Raises:
        ConfigurationError: The file cannot be read, or holds no certificate.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # SSLError is one
        reason = error.strerror if not isinstance(error, ssl.SSLError) else "no certificate in it"
        raise ConfigurationError(
            f"tls_ca_file '{ca_file}' cannot be used: {reason}",
            where=where,
            hint="It holds the certificates of authorities in PEM.",
        ) from error


def tls_failure(error: BaseException | None, server: str, where: str) -> InfrastructureError | None:
    """Our error for a handshake that failed; None when it was something else."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return AuthenticationError(
            f"the certificate of {server} is not trusted: {error.verify_message}",
            where=where,
            hint="Name its authority in tls_ca_file, and the host it was issued for.",
        )
    if isinstance(error, ssl.SSLError):
        return UnavailableError(
            f"no TLS with {server} ({error.reason or type(error).__name__})",
            where=where,
            hint="Does it speak TLS on that port?",
        )
    return None
