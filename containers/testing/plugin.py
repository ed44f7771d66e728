"""The pytest plugin: fixtures, markers, a guard around the network, and a look for leaks.

Every run of pytest in this environment imports this module, so it imports nothing but pytest;
what it needs is imported by the first test that uses it.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from containers.testing.factory import ContainerFactory
    from containers.testing.leaks import Leaks
    from containers.testing.network import NetworkGuard
    from containers.testing.services import Services
    from infrastructure.llm import ScriptedProvider

_NO_NETWORK = "switchgear_no_network"
_MARKERS = (
    "profile(name, ...): the settings profile of the fixture `container`; several, last one wins",
    'config("path=value", ...): settings of the fixture `container`, as the command\'s `--set`',
    f"allow_network(host, ...): with `{_NO_NETWORK}`, reach these hosts, or without one all",
    "requires(name, ...): skip without the packages of this extra, or the server of this kind",
)
_guard_key: "pytest.StashKey[NetworkGuard]" = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the setting that closes the network."""
    parser.addini(_NO_NETWORK, "tests reach this machine only", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, and put the guard in place where the setting asks for it."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    if config.getini(_NO_NETWORK):
        from containers.testing.network import NetworkGuard

        guard = config.stash[_guard_key] = NetworkGuard()
        guard.install()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give the sockets back."""
    if _guard_key in config.stash:
        config.stash[_guard_key].remove()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Keep the network closed from the first fixture of a test to the last."""
    guard = item.config.stash.get(_guard_key, None)
    allowed = [mark.args for mark in item.iter_markers("allow_network")]
    if guard is None or () in allowed:
        return (yield)
    with guard.closed(hosts=frozenset(host for hosts in allowed for host in hosts)):
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose requirements cannot be had."""
    for name in (name for mark in item.iter_markers("requires") for name in mark.args):
        from containers.testing.requirements import reason_missing

        if reason := reason_missing(name):
            pytest.skip(f"requires '{name}': {reason}")


@pytest.fixture(autouse=True)
def _switchgear_leaks(request: pytest.FixtureRequest) -> "Iterator[Leaks]":
    """Fail the end of a test that leaves an override behind, and take that away."""
    from containers.testing.leaks import Leaks

    leaks = Leaks()
    yield leaks
    if found := leaks.found():
        pytest.fail(
            f"{request.node.nodeid} left behind: {'; '.join(found)}. It was undone. Use "
            "`with container.override(...)`, the fixture `override`, or `set_default(None)`.",
            pytrace=False,
        )


@pytest.fixture
def container_type() -> Callable[..., Any]:
    """What the fixture `container` makes; give your own subclass of `Container` here."""
    from containers import Container

    return Container


@pytest.fixture
def container_factory(
    request: pytest.FixtureRequest,
    container_type: Callable[..., Any],
    _switchgear_leaks: "Leaks",
) -> "Iterator[ContainerFactory]":
    """Makes containers, `container_factory(profile=..., overrides=...)`; each ends with the test.

    They end on the test's own event loop under pytest-asyncio, and on a new one elsewhere.
    """
    from containers.testing.factory import ContainerFactory, run_on_new_loop

    runner = _runner(request)
    made = ContainerFactory(
        container_type, _profile(request), _overrides(request), _switchgear_leaks.watch
    )
    yield made
    made.close(runner.run if runner is not None else run_on_new_loop)


@pytest.fixture
def container(container_factory: "ContainerFactory") -> Any:
    """A fresh root container on profile `test`, or on what the markers say; not started."""
    return container_factory()


@pytest.fixture
def override(container: Any) -> Iterator[Callable[..., Any]]:
    """Overrides on `container`, `override(llm=fake)`, undone with the test."""
    import containers

    with ExitStack() as standing:

        def put(mapping: Any = None, /, *, isolated: bool = False, **names: Any) -> Any:
            return standing.enter_context(
                containers.override(container, mapping, isolated=isolated, **names)
            )

        yield put


@pytest.fixture
def fake_llm(override: Callable[..., Any]) -> "ScriptedProvider":
    """A scripted model in the place of `llm.default` of `container`."""
    from infrastructure.llm import ScriptedProvider

    fake = ScriptedProvider(name="llm.default")
    override({"llm.default": fake})
    return fake


@pytest.fixture(scope="session")
def service() -> "Iterator[Services]":
    """Real servers on this machine, `service("redis").url`; started once a session."""
    from containers.testing.services import Services

    services = Services()
    try:
        yield services
    finally:
        services.close()


def _profile(request: pytest.FixtureRequest) -> Any:
    mark = request.node.get_closest_marker("profile")
    return mark.args if mark is not None else "test"


def _overrides(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The markers' settings; those nearest to the test win."""
    marks = reversed(list(request.node.iter_markers("config")))
    pairs = [pair for mark in marks for pair in mark.args]
    for pair in pairs:
        if "=" not in pair:
            pytest.fail(f'config("{pair}"): not of the form "path=value"', pytrace=False)
    return dict(pair.split("=", 1) for pair in pairs)


def _runner(request: pytest.FixtureRequest) -> Any:
    """pytest-asyncio's runner of this test, asked for here so that it outlives the containers."""
    names = [
        name
        for name in getattr(request.node, "fixturenames", ())
        if name.endswith("_scoped_runner")
    ]
    return request.getfixturevalue(names[-1]) if names else None
