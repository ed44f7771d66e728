"""A user's tests, run by pytest inside pytest."""

from collections.abc import Callable

import pytest

import containers.default
import containers.testing.factory
import containers.testing.leaks
import containers.testing.network
import containers.testing.requirements
import infrastructure.llm  # noqa: F401 - what the run inside imports first, it forgets at its end

_STARTS_WITH = """
    import pytest
    from containers import Container, providers
    from infrastructure.llm import ScriptedProvider
"""
#: pytest-asyncio wants a setting of its own, and pytest takes its name for that of a module:
#: neither has anything to do with us.
_IGNORED = ("pytest.PytestDeprecationWarning", "pytest.PytestAssertRewriteWarning")
_WARNINGS = ("-W", "error", *(f"-Wignore::{warning}" for warning in _IGNORED))


@pytest.fixture(autouse=True)
def _plugins(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours and asyncio's: others that happen to be installed import much, and touch sockets."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p switchgear -p asyncio")


@pytest.fixture(scope="session")
def _backends() -> None:
    """The same for the backends, which a container imports when it is made."""
    for profile in ("test", "embedded"):
        containers.Container(profile=profile)


@pytest.fixture
def run(
    _backends: None, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., pytest.RunResult]:
    """Run a module of tests in this process, with no plugins but ours and asyncio's."""
    monkeypatch.delenv("SWITCHGEAR_PROFILES", raising=False)

    def run(source: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(_STARTS_WITH + source)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *_WARNINGS, *arguments)

    return run
