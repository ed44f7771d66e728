import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from infrastructure.errors import ConfigurationError, UnsupportedError
from infrastructure.llm import ContextLengthError, Options
from infrastructure.servers.llama import LlamaServer
from tests.contracts.llm_contract import LONG_PROMPT, PROMPT, LLMContract

if missing := LlamaServer.reason_missing():
    pytest.skip(f"kind 'llamacpp' cannot be had: {missing}", allow_module_level=True)

from infrastructure.llm.providers.llamacpp import LlamaCppProvider, LlamaCppSettings

needs_proc = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads /proc")


@pytest.fixture(scope="module")
def loaded() -> Iterator[LlamaCppProvider]:
    """One model for all tests: it survives a change of the event loop."""
    llm = LlamaCppProvider(
        LlamaCppSettings(context_tokens=512, threads=1, temperature=0), name="llm.default"
    )

    async def close() -> None:
        await llm.connect()
        await llm.disconnect()

    yield llm
    asyncio.run(close())


@pytest.fixture
def llm(loaded: LlamaCppProvider) -> LlamaCppProvider:
    return loaded


class TestContract(LLMContract):
    @pytest.fixture
    def provider(self, loaded: LlamaCppProvider) -> LlamaCppProvider:
        return loaded

    @pytest.fixture
    def llm(self, loaded: LlamaCppProvider) -> LlamaCppProvider:
        return loaded


async def test_seed_repeats_an_answer(llm: LlamaCppProvider) -> None:
    asked = Options(temperature=1.5, seed=7, max_tokens=12)
    first = await llm.generate(PROMPT, **asked)
    assert first.content == (await llm.generate(PROMPT, **asked)).content


async def test_conversation_longer_than_the_context_says_both_lengths(
    llm: LlamaCppProvider,
) -> None:
    with pytest.raises(ContextLengthError, match="context holds 512") as caught:
        await llm.generate("word " * 800)
    assert (caught.value.prompt_tokens or 0) > 800
    assert caught.value.context_tokens == 512


async def test_long_conversation_is_refused_in_a_stream_too(llm: LlamaCppProvider) -> None:
    with pytest.raises(ContextLengthError, match="raise context_tokens"):
        _ = [piece async for piece in llm.stream_generate("word " * 800)]


async def test_another_model_is_not_silently_replaced(llm: LlamaCppProvider) -> None:
    with pytest.raises(UnsupportedError, match="gpt-4"):
        await llm.generate(PROMPT, model="gpt-4")


async def test_event_loop_goes_on_while_the_model_works(llm: LlamaCppProvider) -> None:
    answer = asyncio.create_task(llm.generate(LONG_PROMPT, max_tokens=20))
    turns = 0
    while not answer.done():
        turns += 1
        await asyncio.sleep(0.001)
    assert turns > 5


@needs_proc
async def test_model_listens_on_no_port_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = _listening_ports()
    async with LlamaCppProvider(LlamaCppSettings(context_tokens=256, threads=1)):
        assert _listening_ports() == before
        assert _names(tmp_path) == []


async def test_left_stream_stops_the_model(llm: LlamaCppProvider) -> None:
    async with aclosing(llm.stream_generate(LONG_PROMPT, max_tokens=400)) as stream:
        await anext(stream)
    assert llm._answers == set()
    await llm.generate(PROMPT, max_tokens=1)
    assert len([one for one in threading.enumerate() if one.name.startswith("llamacpp")]) <= 2


@needs_proc
async def test_closing_ends_a_running_answer_and_its_threads() -> None:
    llm = LlamaCppProvider(LlamaCppSettings(context_tokens=512, threads=1, temperature=0))
    before = len(_names(Path("/proc/self/task")))
    async with aclosing(llm.stream_generate(LONG_PROMPT, max_tokens=400)) as stream:
        await anext(stream)
        await llm.disconnect()
    assert len(_names(Path("/proc/self/task"))) <= before + 1


async def test_missing_file_is_named(tmp_path: Path) -> None:
    llm = LlamaCppProvider(LlamaCppSettings(model_path=tmp_path / "no.gguf"), name="llm.local")
    with pytest.raises(ConfigurationError, match=r"llm\.local: there is no file .*no\.gguf"):
        await llm.connect()


async def test_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"nothing")
    llm = LlamaCppProvider(LlamaCppSettings(model_path=tmp_path / "broken.gguf"))
    with pytest.raises(ConfigurationError, match=r"broken\.gguf cannot be loaded"):
        await llm.connect()


def test_loading_and_answering_print_nothing() -> None:
    script = (
        "import asyncio\n"
        "from infrastructure.llm import LLMRegistry\n"
        "provider = LLMRegistry.resolve('llamacpp')\n"
        "llm = provider(provider.Settings(context_tokens=256, threads=1))\n"
        "asyncio.run(llm.generate('Hi', max_tokens=1))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        text=True,
        timeout=50,
    )
    assert (done.stdout, done.stderr) == ("", "")


def _names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def _listening_ports() -> list[str]:
    """The addresses on which this process accepts TCP."""
    opened = {link.readlink().name for link in Path("/proc/self/fd").iterdir() if link.is_symlink()}
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [line[1] for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in opened]
