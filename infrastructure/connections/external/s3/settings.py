"""Settings of an object store."""

from typing import Literal

from pydantic import Field

from infrastructure.connections.external.aws.settings import AwsSettings

MEBIBYTE = 1024 * 1024


class S3Settings(AwsSettings):
    """A bucket on AWS, or on any server that speaks S3.

    An upload holds at most `part_bytes` x (`parallel_parts` + 3) in memory.
    """

    kind: str = "s3"
    bucket: str = Field(min_length=3, max_length=63, description="The one all calls are about.")
    addressing: Literal["path", "virtual"] | None = Field(
        default=None,
        description="Where the bucket stands in addresses; null: path with an endpoint_url.",
    )
    part_bytes: int = Field(
        default=8 * MEBIBYTE,
        ge=5 * MEBIBYTE,  # below that, S3 takes a part only as the last one
        le=1024 * MEBIBYTE,
        description="What is longer is sent in parts of this length.",
    )
    parallel_parts: int = Field(default=4, ge=1, le=64, description="Parts sent at a time.")
    part_attempts: int = Field(
        default=3, ge=1, le=20, description="How often a part is tried before an upload fails."
    )
    max_get_bytes: int = Field(
        default=256 * MEBIBYTE, ge=1, description="The most `get` reads into memory."
    )
