import pytest

from infrastructure.errors import RejectedError
from infrastructure.llm import Chunk, FinishReason, LLMResponse, Message, Role, Usage
from infrastructure.llm.messages import to_messages


def test_text_is_one_user_turn() -> None:
    assert to_messages("Hi") == (Message(Role.USER, "Hi"),)


def test_misspelled_role_gets_a_suggestion() -> None:
    with pytest.raises(RejectedError, match=r"llm: unknown role 'sytem'. Did you mean 'system'"):
        to_messages([{"role": "sytem", "content": "x"}], where="llm")


def test_message_without_content_names_what_it_lacks() -> None:
    with pytest.raises(RejectedError, match="lacks content"):
        to_messages([{"role": "user"}])


def test_chunk_prints_as_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    print(  # noqa: T201 - the promise
        Chunk("Hel"), Chunk("lo", finish_reason=FinishReason.STOP), sep="", end=""
    )
    assert capsys.readouterr().out == "Hello"


def test_response_has_the_names_of_the_documents() -> None:
    response = LLMResponse("Hi", "m", "openai", FinishReason.STOP, Usage(2, 1), 0.5, raw=object())
    assert response.usage_stats.total_tokens == 3
    assert response.metadata == {
        "model": "m",
        "provider": "openai",
        "finish_reason": "stop",
        "latency_seconds": 0.5,
    }
    assert "object" not in repr(response)
