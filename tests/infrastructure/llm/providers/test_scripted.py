import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.errors import OverloadedError
from infrastructure.llm import FinishReason, Message, Role
from infrastructure.llm.providers.scripted import ScriptedProvider, ScriptedSettings
from tests.contracts.llm_contract import LLMContract


@pytest.fixture
def llm() -> ScriptedProvider:
    return ScriptedProvider(ScriptedSettings())


class TestContract(LLMContract):
    @pytest.fixture
    def provider(self) -> ScriptedProvider:
        return ScriptedProvider(ScriptedSettings(word_seconds=0.002), name="llm.default")


async def test_unscripted_echoes_the_last_user_message(llm: ScriptedProvider) -> None:
    conversation = [
        Message(Role.USER, "one"),
        Message(Role.ASSISTANT, "1"),
        Message(Role.USER, "two"),
    ]
    assert (await llm.generate(conversation)).content == "two"


async def test_answers_of_the_settings_come_in_order_then_the_echo() -> None:
    llm = ScriptedProvider(ScriptedSettings(answers=("first", "second")))
    said = [(await llm.generate("echo")).content for _ in range(3)]
    assert said == ["first", "second", "echo"]


async def test_scripted_exception_is_raised_once(llm: ScriptedProvider) -> None:
    llm.script(OverloadedError("busy", retry_after_seconds=2), "fine")
    with pytest.raises(OverloadedError, match="busy"):
        await llm.generate("hello")
    assert (await llm.generate("hello")).content == "fine"


async def test_scripted_exception_is_raised_from_a_stream_too(llm: ScriptedProvider) -> None:
    llm.script(OverloadedError("busy"))
    with pytest.raises(OverloadedError):
        _ = [piece async for piece in llm.stream_generate("hello")]


async def test_records_what_was_asked_with_the_settings_filled_in(llm: ScriptedProvider) -> None:
    await llm.generate("hello", temperature=0.5)
    call = llm.calls[0]
    assert call.messages == (Message(Role.USER, "hello"),)
    assert (call.temperature, call.max_tokens) == (0.5, llm.settings.max_tokens)


async def test_usage_counts_words(llm: ScriptedProvider) -> None:
    llm.script("four words are here")
    usage = (await llm.generate("two words")).usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (2, 4, 6)


async def test_empty_answer_still_ends_with_a_reason(llm: ScriptedProvider) -> None:
    llm.script("")
    assert [chunk.finish_reason async for chunk in llm.stream_generate("x")] == [FinishReason.STOP]


async def test_embedding_depends_on_the_text_alone(llm: ScriptedProvider) -> None:
    first, second, again = await llm.embed(["a", "b", "a"])
    assert first == again != second
    assert sum(number * number for number in first) == pytest.approx(1.0)


@given(st.text(max_size=60))
def test_any_answer_survives_being_cut_into_pieces(text: str) -> None:
    async def stream() -> str:
        llm = ScriptedProvider(ScriptedSettings(answers=(text,)))
        return "".join([piece async for piece in llm.stream_generate("x")])

    assert asyncio.run(stream()) == text
