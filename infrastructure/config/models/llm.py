"""Settings every language model has."""

from pydantic import Field

from infrastructure.config.models.base import Block, Seconds


class LLMSettings(Block):
    """A block under `llm:`."""

    model: str = ""
    timeout_seconds: Seconds = Field(default=60.0, description="Bound on a whole answer.")
    stall_seconds: Seconds = Field(
        default=30.0, description="Bound on the wait for the next chunk."
    )
    max_tokens: int = Field(default=512, gt=0, description="Bound on the tokens of an answer.")
    temperature: float | None = Field(
        default=None, ge=0, le=2, description="Spread of the answers; null: the provider's own."
    )
