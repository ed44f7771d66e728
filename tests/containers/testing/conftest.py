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
#: pytest takes the plugin's name for that of a module, which has nothing to do with us.
_WARNINGS = ("-W", "error", "-W", "ignore::pytest.PytestAssertRewriteWarning")
#: A setting that pytest-asyncio asks everybody for.
_ASYNCIO = "-o asyncio_default_fixture_loop_scope=function"


@pytest.fixture(autouse=True)
def _plugins(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours and asyncio's: others that happen to be installed import much, and touch sockets."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", f"-p switchgear -p asyncio {_ASYNCIO}")


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
