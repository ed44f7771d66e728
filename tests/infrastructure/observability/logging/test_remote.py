"""Lines posted to an HTTP server on this machine: in batches, again after a failure, in bounds."""

import http.server
import os
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from infrastructure.errors import ConfigurationError
from infrastructure.observability.logging import (
    LoggingConfig,
    LoggingHandle,
    LogRemote,
    get_logger,
    remote,
    setup_logging,
)

log = get_logger("remote")


class Server:
    """Takes posts; answers with what stands in `answers`, then with 204."""

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.ports: set[int] = set()
        self.posted = threading.Condition()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.ports.add(self.client_address[1])
                with outer.posted:
                    outer.posts.append((dict(self.headers), body))
                    status = outer.answers.pop(0) if outer.answers else 204
                    outer.posted.notify_all()
                self.send_response(status, "secret-reason")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/logs?key=made-up-key"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def stop(self) -> None:
        """End it; harmless when it has ended."""
        if self.thread.is_alive():
            self.server.shutdown()
            self.server.server_close()
            self.thread.join()

    @property
    def events(self) -> list[str]:
        lines = b"".join(body for _, body in self.posts).splitlines()
        return [msgspec.json.decode(line)["event"] for line in lines]


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.stop()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "FIRST_BACKOFF_SECONDS", 0.001)


def start(url: str, **settings: Any) -> LoggingHandle:
    settings = {"url": url, "linger_seconds": 0.01, **settings}
    return setup_logging(LoggingConfig(console=False, remote=LogRemote.model_validate(settings)))


def test_lines_arrive_as_json_in_one_post(server: Server) -> None:
    with start(server.url, linger_seconds=60, headers={"Authorization": "Bearer made-up"}):
        for number in range(3):
            log.info(f"line {number}")  # noqa: G004  # told apart below
    headers, _ = server.posts[0]
    assert server.events == ["line 0", "line 1", "line 2"]
    assert len(server.posts) == 1
    assert headers["Authorization"] == "Bearer made-up"
    assert headers["Content-Type"] == "application/x-ndjson"


def test_batch_is_bounded(server: Server) -> None:
    with start(server.url, batch_lines=2):
        for _ in range(5):
            log.info("line")
    assert len(server.posts) >= 3
    assert len(server.events) == 5


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_batch_is_sent_again_when_the_server_asks_for_it(server: Server, status: int) -> None:
    server.answers = [status, status]
    with start(server.url) as handle:
        log.info("line")
    assert server.events == ["line"] * 3
    assert (handle.failures, handle.dropped) == (0, 0)


def test_batch_that_is_refused_is_counted_and_not_sent_again(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [400]
    with start(server.url) as handle:
        log.info("refused")
        with server.posted:
            assert server.posted.wait_for(lambda: server.posts, 30)
        log.info("taken")
    assert server.events == ["refused", "taken"]
    assert handle.failures == 1
    assert "RejectedError: the answer was 400" in capsys.readouterr().err


def test_server_that_is_away_costs_a_bounded_wait_and_the_lines_are_counted(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.stop()
    handle = start(server.url, queue={"max_lines": 5, "close_seconds": 0.05})
    for _ in range(20):
        log.info("line")
    handle.close()
    assert handle.dropped == 20
    err = capsys.readouterr().err
    assert "has trouble: UnavailableError: no answer (ConnectionRefusedError)" in err
    assert "made-up-key" not in err


def test_error_says_nothing_that_is_secret(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [403]
    with start(server.url, headers={"X-Key": "made-up-header"}):
        log.info("line")
    err = capsys.readouterr().err
    assert "403" in err
    assert not any(word in err for word in ("made-up-key", "made-up-header", "secret-reason"))


def test_connection_is_kept(server: Server) -> None:
    with start(server.url, batch_lines=1):
        for _ in range(5):
            log.info("line")
    assert (len(server.posts), len(server.ports)) == (5, 1)


@pytest.mark.parametrize("url", ["ftp://host/x", "host", ""])
def test_url_that_is_no_http_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="http"):
        LogRemote.model_validate({"url": url})


@pytest.mark.parametrize("url", ["http://user:made-up@host/", "http:///x"])
def test_url_with_credentials_or_without_a_host_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot post logs to") as raised:
        start(url)
    assert "made-up" not in str(raised.value)


@pytest.mark.parametrize("value", ["made-up\r\nX: 1", "made-up-ä"])
def test_header_that_cannot_be_sent_is_refused_without_its_value(value: str) -> None:
    with pytest.raises(ValidationError, match="'X-Key'") as raised:
        LogRemote.model_validate({"url": "http://h", "headers": {"X-Key": value}})
    assert "made-up" not in str(raised.value)


def test_streams_have_remotes_of_their_own(server: Server) -> None:
    streams = {"api": {"remote": {"url": server.url, "linger_seconds": 0.01}}}
    with setup_logging(LoggingConfig.model_validate({"console": False, "streams": streams})):
        get_logger("x", stream="api").info("api")
        log.info("app")
    assert server.events == ["api"]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_forked_child_posts_over_a_connection_of_its_own(server: Server) -> None:
    with start(server.url) as handle:
        log.info("parent")
        with server.posted:
            assert server.posted.wait_for(lambda: server.posts, 30)
        child = os.fork()
        if not child:
            log.info("child")
            handle.close()
            os._exit(0)
        os.waitpid(child, 0)
        log.info("parent")
    assert sorted(server.events) == ["child", "parent", "parent"]
    assert len(server.ports) == 2
