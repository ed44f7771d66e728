"""What S3 answers with, by code, beyond what every service of AWS does."""

from infrastructure.errors import (
    ConflictError,
    DataError,
    InfrastructureError,
    NotFoundError,
)


class OwnBucketError(ConflictError):
    """The bucket is there already, and ours."""


CODES: dict[str, type[InfrastructureError]] = {
    **dict.fromkeys(("NoSuchBucket", "NoSuchKey", "NoSuchUpload", "NoSuchVersion"), NotFoundError),
    **dict.fromkeys(
        ("BucketAlreadyExists", "ConditionalRequestConflict", "OperationAborted"), ConflictError
    ),
    "BucketAlreadyOwnedByYou": OwnBucketError,
    "PreconditionFailed": ConflictError,
    **dict.fromkeys(("BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch"), DataError),
}
