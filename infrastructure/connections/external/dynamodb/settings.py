"""Settings of DynamoDB."""

from pydantic import Field

from infrastructure.config.models.base import Seconds
from infrastructure.connections.external.aws.settings import AwsSettings


class DynamoSettings(AwsSettings):
    """DynamoDB, or a server that speaks as it does."""

    kind: str = "dynamodb"
    version_attribute: str = Field(
        default="version", min_length=1, description="Has the number that `version=` checks."
    )
    batch_attempts: int = Field(
        default=8, ge=1, le=100, description="How often items of a batch left undone are sent."
    )
    table_timeout_seconds: Seconds = Field(
        default=60.0, description="Longest wait for a new table to be there."
    )
