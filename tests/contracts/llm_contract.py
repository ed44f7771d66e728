"""What every language model provider promises."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from infrastructure.config.models.llm import LLMSettings
from infrastructure.errors import DeadlineExceededError, RejectedError
from infrastructure.llm import BaseLLMProvider, FinishReason, Message, Role

PROMPT = "Name three animals and three plants."
LONG_PROMPT = "Tell a long story about a ship, a storm and an island far away."


class LLMContract:
    """Subclasses supply the fixture `provider`: not opened, and slower than a millisecond."""

    @pytest.fixture
    async def llm(self, provider: BaseLLMProvider) -> AsyncIterator[BaseLLMProvider]:
        async with provider:
            yield provider

    async def test_answers_with_text_usage_and_a_reason(self, llm: BaseLLMProvider) -> None:
        answer = await llm.generate(PROMPT, max_tokens=10)
        assert answer.content.strip()
        assert answer.usage.input_tokens > 0
        assert 0 < answer.usage.output_tokens <= 10
        assert answer.latency_seconds > 0
        assert answer.provider == llm.settings.kind
        assert answer.metadata["model"] == answer.model != ""

    async def test_stream_put_together_is_the_whole_answer(self, llm: BaseLLMProvider) -> None:
        whole = await llm.generate(PROMPT, max_tokens=12)
        pieces = [piece async for piece in llm.stream_generate(PROMPT, max_tokens=12)]
        assert "".join(pieces) == whole.content

    async def test_stream_comes_in_several_pieces(self, llm: BaseLLMProvider) -> None:
        pieces = [piece async for piece in llm.stream_generate(PROMPT, max_tokens=12)]
        assert len([piece for piece in pieces if piece]) > 2

    async def test_last_chunk_and_only_it_has_reason_and_usage(self, llm: BaseLLMProvider) -> None:
        *pieces, last = [piece async for piece in llm.stream_generate(PROMPT, max_tokens=8)]
        assert isinstance(last.finish_reason, FinishReason)
        assert last.usage is not None
        assert last.usage.input_tokens > 0
        assert last.usage.output_tokens > 0
        assert all(piece.finish_reason is None and piece.usage is None for piece in pieces)

    async def test_answer_cut_at_max_tokens_says_length(self, llm: BaseLLMProvider) -> None:
        answer = await llm.generate(LONG_PROMPT, max_tokens=3)
        assert answer.finish_reason is FinishReason.LENGTH
        assert answer.usage.output_tokens == 3

    async def test_stop_text_ends_the_answer_before_it(self, llm: BaseLLMProvider) -> None:
        whole = await llm.generate(LONG_PROMPT, max_tokens=12)
        stop = whole.content.split()[2]
        cut = await llm.generate(LONG_PROMPT, max_tokens=12, stop=stop)
        assert stop not in cut.content
        assert cut.finish_reason is FinishReason.STOP

    async def test_system_message_reaches_the_model(self, llm: BaseLLMProvider) -> None:
        alone = [Message(Role.SYSTEM, "Be short."), Message(Role.USER, PROMPT)]
        longer = [Message(Role.SYSTEM, "Be short. " * 20), Message(Role.USER, PROMPT)]
        first = await llm.generate(alone, max_tokens=2)
        second = await llm.generate(longer, max_tokens=2)
        assert second.usage.input_tokens > first.usage.input_tokens

    async def test_conversation_may_be_messages_or_mappings(self, llm: BaseLLMProvider) -> None:
        turns = [("user", "My name is Ada."), ("assistant", "Hello Ada."), ("user", "Who am I?")]
        messages = [Message(Role(role), content) for role, content in turns]
        mappings = [{"role": role, "content": content} for role, content in turns]
        first = await llm.generate(messages, max_tokens=2)
        second = await llm.generate(mappings, max_tokens=2)
        assert first.usage.input_tokens == second.usage.input_tokens

    async def test_answers_several_callers_at_once(self, llm: BaseLLMProvider) -> None:
        prompts = [f"Count to {number}, please." for number in range(4)]
        answers = await asyncio.gather(*(llm.generate(text, max_tokens=4) for text in prompts))
        assert all(answer.content for answer in answers)

    @pytest.mark.parametrize(
        "prompt", [[], [{"role": "robot", "content": "x"}], [{"role": "user"}]]
    )
    async def test_what_is_no_conversation_is_rejected(
        self, llm: BaseLLMProvider, prompt: Any
    ) -> None:
        with pytest.raises(RejectedError):
            await llm.generate(prompt)

    async def test_unknown_option_is_a_type_error(self, llm: BaseLLMProvider) -> None:
        with pytest.raises(TypeError, match="max_token"):
            await llm.generate(PROMPT, max_token=5)  # type: ignore[call-arg] # the promise

    async def test_late_answer_is_a_deadline_error(
        self, llm: BaseLLMProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(llm, "settings", _changed(llm, timeout_seconds=0.001))
        with pytest.raises(DeadlineExceededError, match=r"0\.001 s"):
            await llm.generate(LONG_PROMPT, max_tokens=100)

    async def test_late_chunk_is_a_deadline_error(
        self, llm: BaseLLMProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(llm, "settings", _changed(llm, stall_seconds=0.001))
        with pytest.raises(DeadlineExceededError):
            _ = [piece async for piece in llm.stream_generate(LONG_PROMPT, max_tokens=100)]

    async def test_answers_again_after_a_missed_deadline(
        self, llm: BaseLLMProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(llm, "settings", _changed(llm, timeout_seconds=0.001))
            with pytest.raises(DeadlineExceededError):
                await llm.generate(LONG_PROMPT, max_tokens=100)
        assert (await llm.generate(PROMPT, max_tokens=2)).content

    async def test_answers_again_after_a_stream_was_left_early(self, llm: BaseLLMProvider) -> None:
        async with aclosing(llm.stream_generate(LONG_PROMPT, max_tokens=200)) as stream:
            assert await anext(stream)
        assert (await llm.generate(PROMPT, max_tokens=2)).content

    async def test_answers_again_after_a_cancelled_stream(self, llm: BaseLLMProvider) -> None:
        began = asyncio.Event()

        async def read() -> None:
            async for _ in llm.stream_generate(LONG_PROMPT, max_tokens=200):
                began.set()

        reader = asyncio.create_task(read())
        await began.wait()
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert (await llm.generate(PROMPT, max_tokens=2)).content

    async def test_is_healthy_once_checked(self, llm: BaseLLMProvider) -> None:
        assert (await llm.health_check()).is_up
        assert llm.is_healthy()

    async def test_opens_by_itself_after_it_was_closed(self, provider: BaseLLMProvider) -> None:
        await provider.initialize()
        await provider.disconnect()
        await provider.disconnect()
        assert (await provider.generate(PROMPT, max_tokens=2)).content
        await provider.disconnect()
        assert not provider.is_healthy()

    def test_works_in_one_event_loop_after_another(self, provider: BaseLLMProvider) -> None:
        async def ask() -> str:
            async with provider:
                return (await provider.generate(PROMPT, max_tokens=2)).content

        assert asyncio.run(ask()) == asyncio.run(ask()) != ""


def _changed(llm: BaseLLMProvider, **fields: Any) -> LLMSettings:
    return llm.settings.model_copy(update=fields)
