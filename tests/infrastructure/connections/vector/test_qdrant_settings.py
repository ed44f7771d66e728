"""What a block of kind `qdrant` may say, and what is refused before anything is opened."""

import pytest
from pydantic import ValidationError

from infrastructure.connections.vector.qdrant import QdrantSettings

KEY = "s3cret-k3y"


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": ""},
        {"url": "localhost:6333"},
        {"url": "ftp://x"},
        {"url": "http://user:pass@x"},
        {"url": "http://x?api_key=1"},
        {"url": "http://x:99999"},
        {"url": "http://x", "path": "/tmp/x"},
        {"api_key": KEY},
        {"url": "http://x", "api_key": f"{KEY}\n"},
        {"url": "http://x", "api_key": f"{KEY} é"},
        {"prefer_grpc": True},
        {"url": "http://x", "indexes": {"lang": "text"}},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValidationError) as caught:
        QdrantSettings(**wrong)
    assert "pass@" not in str(caught.value)
    assert KEY not in str(caught.value)
