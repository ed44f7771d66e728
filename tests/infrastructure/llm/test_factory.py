import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from infrastructure import ambient
from infrastructure.config.models.base import Part
from infrastructure.config.models.llm import LLMSettings
from infrastructure.errors import UnknownKindError
from infrastructure.llm import LLMFactory, LLMProvider
from infrastructure.llm.providers.scripted import ScriptedSettings


def scripted(*answers: str) -> LLMSettings:
    return ScriptedSettings(answers=answers)


@pytest.fixture(autouse=True)
def _default_container(monkeypatch: pytest.MonkeyPatch) -> None:
    part = Part[LLMSettings](default=scripted("default"), instances={"other": scripted("other")})
    found = {"settings": SimpleNamespace(llm=part)}
    monkeypatch.setattr(ambient, "_resolver", lambda: found.__getitem__)


async def test_without_a_kind_it_is_the_default_block() -> None:
    llm = LLMFactory.get_llm()
    assert llm.name == "llm.default"
    assert (await llm.generate("x")).content == "default"


async def test_kind_may_be_a_member_or_a_word() -> None:
    assert (await LLMFactory.get_llm(LLMProvider.SCRIPTED).generate("x")).content == "default"
    assert (await LLMFactory.get_llm("scripted").generate("x")).content == "default"


def test_kind_that_no_block_has_gets_its_models_defaults() -> None:
    assert LLMFactory.get_llm(LLMProvider.OPENAI).settings.model == "gpt-4o-mini"


def test_every_call_gives_a_new_object() -> None:
    assert LLMFactory.get_llm() is not LLMFactory.get_llm()


def test_unknown_kind_gets_a_suggestion() -> None:
    with pytest.raises(UnknownKindError, match="Did you mean 'openai'"):
        LLMFactory.get_llm("opena1")


def test_door_imports_no_vendor() -> None:
    script = (
        "import sys, infrastructure.llm; print(sorted({'openai', 'xllamacpp'} & set(sys.modules)))"
    )
    environ = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, check=True, text=True, env=environ)
    assert done.stdout.strip() == "[]"
