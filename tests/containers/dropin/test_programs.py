"""Programs for plain dependency-injector do the same under our base class and our providers.

A program asserts what it observes, in each dialect the same. What it returns is a complete
container, or several: `check()` must find nothing wrong with it.
"""

import asyncio
import inspect
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from dependency_injector import containers as plain
from dependency_injector import providers as plain_providers

import containers
from containers import check, providers
from tests.containers.dropin import dialects

#: Packages that a program may be about and that the tests do not bring.
_OPTIONAL = {"pydantic_settings"}

#: Programs that our providers run differently on purpose: docs/migration.md and test_differences.py
#: say how. Our base class with dependency-injector's providers runs them as they are.
_DIFFERENT = {
    "program_an_async_resource_is_awaited_by_what_depends_on_it",
    "program_an_async_resource_is_made_when_first_asked_for",
    "program_async_resources_depend_on_resources",
    "program_every_async_form_is_initialized_and_shut_down",
    "program_sync_and_async_resources_together",
}


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    yield
    dialects.forget()


def programs() -> Iterator[Any]:
    for module, name in dialects.program_names():
        for dialect in dialects.DIALECTS:
            if dialect != "ours" or name not in _DIFFERENT:
                identity = f"{module}-{name.removeprefix('program_')}-{dialect}"
                yield pytest.param(module, name, dialect, id=identity)


@pytest.mark.parametrize(("module", "name", "dialect"), list(programs()))
def test_program(module: str, name: str, dialect: str):
    program = _program(module, name, dialect)
    run = asyncio.run(_awaited(program)) if inspect.iscoroutinefunction(program) else program()
    for container in _containers(run):
        assert dialect == "plain" or check(container) is None


def _program(module: str, name: str, dialect: str) -> Any:
    try:
        return getattr(dialects.load(module, dialect), name)
    except ModuleNotFoundError as missing:
        if missing.name not in _OPTIONAL:
            raise
        pytest.skip(f"{missing.name} is not installed")


@pytest.mark.parametrize(
    ("dialect", "container", "provider"),
    [
        ("plain", plain.DeclarativeContainer, plain_providers.Singleton),
        ("base", containers.DeclarativeContainer, plain_providers.Singleton),
        ("ours", containers.DeclarativeContainer, providers.Singleton),
    ],
)
def test_a_dialect_imports_what_it_is_named_for(dialect: str, container: Any, provider: Any):
    module = dialects.load("singletons", dialect)
    assert module.containers.DeclarativeContainer is container
    assert module.providers.Singleton is provider


async def _awaited(program: Any) -> Any:
    return await program()


def _containers(given: Any) -> Iterable[Any]:
    if given is None:
        return ()
    found = given if isinstance(given, tuple) else (given,)
    assert all(plain.is_container(one) for one in found)
    return found
