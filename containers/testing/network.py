"""A guard around the sockets of this process: nothing but this machine can be reached."""

import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

#: Methods of a socket, and where in their arguments the address stands.
_SENDING = {"connect": 0, "connect_ex": 0, "sendto": -1}
_LOOKUPS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex")
_INTERNET = {socket.AF_INET, socket.AF_INET6}


class NetworkBlockedError(RuntimeError):
    """A test tried to leave this machine; no OSError, so that no client retries or hides it."""

    def __init__(self, call: str, host: str) -> None:
        self.host = host
        super().__init__(
            f"{call} to '{host}': tests reach this machine only (switchgear_no_network). Mark the "
            f'test `@pytest.mark.allow_network("{host}")` if it must, or use `service(...)`.'
        )


class NetworkGuard:
    """Replaces the calls of the module `socket` that leave the machine, from `install` on.

    asyncio goes through them, too. What brings its own sockets (a client written in C, uvloop, a
    child process) is not seen.

    Attributes:
        is_closed: Whether only loopback, local sockets and `hosts` can be reached.
        hosts: Names and addresses that can be reached all the same.
    """

    def __init__(self) -> None:
        self.is_closed = False
        self.hosts: frozenset[str] = frozenset()
        self._found: set[str] = set()
        self._replaced: list[tuple[Any, str, Any]] = []

    def install(self) -> None:
        """Put the guarded calls in place; they let everything through while it is open."""
        for name, place in _SENDING.items():
            self._replace(socket.socket, name, self._guarded_sending(name, place))
        for name in _LOOKUPS:
            self._replace(socket, name, self._guarded_lookup(name))

    def remove(self) -> None:
        """Put back what was replaced."""
        while self._replaced:
            owner, name, original = self._replaced.pop()
            if original is None:
                delattr(owner, name)
            else:
                setattr(owner, name, original)

    @contextmanager
    def closed(self, *, hosts: frozenset[str]) -> Iterator[None]:
        """Closed, except for `hosts`, until the block ends."""
        self.is_closed, self.hosts = True, hosts
        try:
            yield
        finally:
            self.is_closed, self.hosts = False, frozenset()
            self._found.clear()

    def _replace(self, owner: Any, name: str, guarded: Callable[..., Any]) -> None:
        # `socket.socket` inherits some of the methods: those are put back by taking ours away.
        self._replaced.append((owner, name, vars(owner).get(name)))
        setattr(owner, name, guarded)

    def _guarded_sending(self, name: str, place: int) -> Callable[..., Any]:
        original = getattr(socket.socket, name)

        def guarded(line: socket.socket, *args: Any) -> Any:
            if self.is_closed and line.family in _INTERNET and args:
                self._check(name, line, args[place])
            return original(line, *args)

        return guarded

    def _guarded_lookup(self, name: str) -> Callable[..., Any]:
        original = getattr(socket, name)

        def guarded(host: Any, *args: Any, **kwargs: Any) -> Any:
            wanted = _text(host)
            if not self.is_closed or _address(wanted) is not None:  # an address needs no lookup
                return original(host, *args, **kwargs)
            if not self._may_reach(wanted):
                raise NetworkBlockedError(name, wanted)
            answer = original(host, *args, **kwargs)
            self._remember(wanted, answer)
            return answer

        return guarded

    def _check(self, call: str, line: socket.socket, address: Any) -> None:
        host = _text(address[0]) if isinstance(address, tuple) else ""
        if not self._may_reach(host):
            line.close()  # its owner expects an OSError, and would leave it open on any other
            raise NetworkBlockedError(call, host)

    def _may_reach(self, host: str) -> bool:
        return _is_here(host) or host in self.hosts or host in self._found

    def _remember(self, host: str, answer: Any) -> None:
        """What an allowed name stands for is allowed with it."""
        if host not in self.hosts:
            return
        if isinstance(answer, list):
            self._found |= {str(entry[4][0]) for entry in answer}
        else:
            self._found |= {answer} if isinstance(answer, str) else set(answer[2])


def _text(host: Any) -> str:
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")
    return text.lower()


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _is_here(host: str) -> bool:
    """Whether the host is this machine: loopback, the unspecified address, or nothing."""
    found = _address(host)
    if found is None:
        return host in {"", "localhost"} or host.endswith(".localhost")
    inner = getattr(found, "ipv4_mapped", None) or found
    return bool(inner.is_loopback or inner.is_unspecified)
