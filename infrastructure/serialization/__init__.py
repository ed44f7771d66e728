"""The typed codec of everything that is stored, and the envelope of what leaves the process."""

from infrastructure.serialization.codec import decode, encode
from infrastructure.serialization.envelope import Envelope
from infrastructure.serialization.errors import Reason, UnreadableError
from infrastructure.serialization.registration import register

__all__ = [
    "Envelope",
    "Reason",
    "UnreadableError",
    "decode",
    "encode",
    "register",
]
