"""What the headers of a refusal say, however they are written."""

import pytest

from infrastructure.connections.http_refusals import retry_after


@pytest.mark.parametrize(
    "text",
    [
        "Mon, 01 Jan 99999999999 00:00:00 GMT",
        "Mon, 01 Jan 2024 00:00:00 +99999999999999",
        "Wed, 32 Jan 2024 99:00:00 GMT",
        "1e400",
        "soon",
    ],
)
def test_a_wait_that_cannot_be_read_is_none(text: str) -> None:
    assert retry_after({"retry-after": text}) is None
