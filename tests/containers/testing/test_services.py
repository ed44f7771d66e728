"""The fixture `service`, the marker `requires`, and several workers."""

import os
from importlib import metadata

import pytest

from containers.testing import requirements
from containers.testing.services import SERVERS
from infrastructure.registry import PARTS, registry_of
from infrastructure.servers.valkey import ValkeyServer


def test_a_server_is_started_once_a_session_and_ended_by_it(run, service):
    service("redis")  # where it cannot be had, this test is skipped with the reason
    result = run("""
    import os
    servers = []

    @pytest.fixture(scope="session", autouse=True)
    def ended():
        yield
        print("pid", servers[0]._process, servers[0].url == "")

    @pytest.mark.parametrize("number", [1, 2])
    def test_it(service, number):
        servers.append(service("redis"))
        assert servers[0] is servers[-1]
        os.kill(servers[0]._process.pid, 0)
        print("runs", servers[0]._process.pid, servers[0].url)
    """, "-s")  # fmt: skip
    result.assert_outcomes(passed=2)
    pid = next(int(line.split()[-2]) for line in result.outlines if "runs " in line)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_server_that_cannot_be_had_is_a_skip_with_its_reason(run, monkeypatch):
    monkeypatch.setattr(ValkeyServer, "reason_missing", classmethod(lambda _: "nowhere to be seen"))
    result = run("""
    def test_service(service):
        service("redis")

    @pytest.mark.requires("redis")
    def test_requires():
        pass
    """, "-rs")  # fmt: skip
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines_random(
        [
            "SKIPPED*server 'redis' cannot be had: nowhere to be seen",
            "SKIPPED*requires 'redis': nowhere to be seen",
        ]
    )


def test_a_server_that_does_not_start_is_tried_once_and_fails_its_tests(run, monkeypatch):
    starts = []

    def start(_):
        starts.append(1)
        raise OSError("broken")

    monkeypatch.setattr(ValkeyServer, "reason_missing", classmethod(lambda _: ""))
    monkeypatch.setattr(ValkeyServer, "start", start)
    run("""
    @pytest.mark.parametrize("number", [1, 2])
    def test_it(service, number):
        service("redis")
    """).assert_outcomes(failed=2)
    assert starts == [1]


def test_unknown_servers_and_requirements_list_the_known(run):
    result = run("""
    def test_service(service):
        service("rediss")

    @pytest.mark.requires("nothing")
    def test_requires():
        pass
    """)
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines_random(
        [
            f"*no server 'rediss'; there are: {', '.join(sorted(SERVERS))}*",
            "*nothing*: unknown*qdrant*",
        ]
    )


def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch):
    found = metadata.distribution

    def distribution(name):
        if name == "qdrant-client":
            raise metadata.PackageNotFoundError(name)
        return found(name)

    monkeypatch.setattr(metadata, "distribution", distribution)
    told = 'qdrant-client not installed: pip install "switchgear[{}]"'
    assert requirements.reason_missing("qdrant") == told.format("qdrant")
    assert requirements.reason_missing("demo") == told.format("demo")
    assert requirements.reason_missing("sqlite") == ""


def test_every_server_answers_to_a_word_of_the_settings():
    assert SERVERS.keys() <= {kind for part in PARTS for kind in registry_of(part).kinds()}


def test_workers_share_nothing(pytester, service):
    service("redis")
    pytester.makepyfile("""
    import socket
    from pathlib import Path
    from urllib.parse import urlsplit
    import pytest

    @pytest.mark.parametrize("number", range(4))
    def test_it(container, fake_llm, service, number, worker_id):
        port = urlsplit(service("redis").url).port
        Path(__file__).with_name(f"{worker_id}-{port}").touch()
    """)
    result = pytester.runpytest_subprocess("-p", "xdist", "-n", "2", "--dist", "each")
    result.assert_outcomes(passed=8)
    workers = [file.name.partition("-") for file in pytester.path.glob("gw*")]
    assert sorted(worker for worker, _, _ in workers) == ["gw0", "gw1"]
    assert len({port for _, _, port in workers}) == 2
