"""With `switchgear_no_network` a test reaches this machine only."""

import socket
import threading

import pytest

from containers.testing.network import NetworkBlockedError, NetworkGuard

#: Addresses set aside for documentation: nothing is ever there.
_ELSEWHERE = ("192.0.2.1", 9)
_ELSEWHERE_6 = ("2001:db8::1", 9)


@pytest.fixture
def guard():
    guard = NetworkGuard()
    guard.install()
    yield guard
    guard.remove()


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()


@pytest.mark.parametrize("name", ["connect", "connect_ex"])
def test_connections_that_leave_this_machine_are_refused(guard, name):
    with (
        guard.closed(hosts=frozenset()),
        socket.socket() as line,
        pytest.raises(NetworkBlockedError, match=r"192\.0\.2\.1.*allow_network"),
    ):
        getattr(line, name)(_ELSEWHERE)


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_so_are_those_of_version_six(guard):
    with guard.closed(hosts=frozenset()), socket.socket(socket.AF_INET6) as line:
        for host in (_ELSEWHERE_6[0], "::ffff:192.0.2.1"):
            with pytest.raises(NetworkBlockedError):
                line.connect((host, 9))


def test_datagrams_are_refused(guard):
    with (
        guard.closed(hosts=frozenset()),
        socket.socket(type=socket.SOCK_DGRAM) as line,
        pytest.raises(NetworkBlockedError),
    ):
        line.sendto(b"x", _ELSEWHERE)


@pytest.mark.parametrize("lookup", ["gethostbyname", "gethostbyname_ex"])
def test_lookups_are_refused(guard, lookup):
    with guard.closed(hosts=frozenset()):
        with pytest.raises(NetworkBlockedError):
            socket.getaddrinfo("example.invalid", 80)
        with pytest.raises(NetworkBlockedError):
            getattr(socket, lookup)("example.invalid")


def test_this_machine_can_be_reached(guard, listener):
    with guard.closed(hosts=frozenset()):
        assert socket.getaddrinfo("localhost", 80)
        assert socket.getaddrinfo(None, 0)
        socket.create_connection(listener).close()


def test_local_sockets_can_be_reached(guard):
    left, right = socket.socketpair()
    with guard.closed(hosts=frozenset()), left, right:
        left.sendall(b"x")
        assert right.recv(1) == b"x"


def test_an_allowed_name_is_looked_up_and_what_it_stands_for_is_allowed(monkeypatch):
    entry = (socket.AF_INET, socket.SOCK_STREAM, 6, "", _ELSEWHERE)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [entry])
    guard = NetworkGuard()
    guard.install()
    with guard.closed(hosts=frozenset({"api.example"})):
        assert not guard._may_reach(_ELSEWHERE[0])
        assert socket.getaddrinfo("API.example", 9) == [entry]
        assert guard._may_reach(_ELSEWHERE[0])
    assert not guard._may_reach(_ELSEWHERE[0])
    guard.remove()


def test_other_threads_are_held_to_it(guard):
    caught: list[Exception] = []

    def leave() -> None:
        try:
            socket.create_connection(_ELSEWHERE)
        except NetworkBlockedError as error:
            caught.append(error)

    with guard.closed(hosts=frozenset()):
        thread = threading.Thread(target=leave)
        thread.start()
        thread.join()
    assert len(caught) == 1


def test_everything_is_put_back():
    before = (socket.socket.connect, socket.getaddrinfo, "connect" in vars(socket.socket))
    guard = NetworkGuard()
    guard.install()
    guard.remove()
    assert before == (socket.socket.connect, socket.getaddrinfo, "connect" in vars(socket.socket))


_LEAVING = """
    import asyncio
    import socket
    from containers.testing.network import NetworkBlockedError

    def leave():
        with socket.socket() as line:
            line.setblocking(False)
            try:
                line.connect_ex(("192.0.2.1", 9))
            except NetworkBlockedError:
                return True
        return False
"""
_CLOSED = ("-o", "switchgear_no_network=true")


@pytest.fixture
def closed(run, monkeypatch):
    """Run with the setting on; what the guard lets through stays here all the same."""
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, lambda *_: 0)
    return lambda source: run(_LEAVING + source, *_CLOSED)


def test_a_test_is_refused_unless_it_is_marked(closed):
    closed("""
    def test_refused():
        assert leave()

    @pytest.mark.allow_network
    def test_everything_allowed():
        assert not leave()

    @pytest.mark.allow_network("192.0.2.1")
    def test_host_allowed():
        assert not leave()

    @pytest.mark.allow_network("192.0.2.2")
    def test_other_host_allowed():
        assert leave()
    """).assert_outcomes(passed=4)


def test_fixtures_and_asyncio_are_refused_too(closed):
    closed("""
    @pytest.fixture
    def left():
        return leave()

    def test_fixture(left):
        assert left

    @pytest.mark.asyncio
    async def test_asyncio():
        for host in ("192.0.2.1", "example.invalid"):
            with pytest.raises(NetworkBlockedError):
                await asyncio.open_connection(host, 9)
    """).assert_outcomes(passed=2)


def test_without_the_setting_nothing_is_replaced(run):
    run("""
    import socket

    def test_it():
        assert socket.getaddrinfo.__module__ == "socket"
        assert "connect" not in vars(socket.socket)
    """).assert_outcomes(passed=1)
