"""A program: what stands before a Chroma that is not open to all, since it knows no keys itself.

    python chroma_gate.py <port of the server> <key>

It prints its own port and serves until it is ended.
"""

import contextlib
import sys
from http import HTTPStatus
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Gate(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    chroma_port = 0
    key = ""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers["x-chroma-token"] != self.key:
            self._answer(HTTPStatus.UNAUTHORIZED, b"")
            return
        line = HTTPConnection("127.0.0.1", self.chroma_port)
        with contextlib.closing(line):
            line.request(self.command, self.path, body, {"Content-Type": "application/json"})
            answer = line.getresponse()
            self._answer(answer.status, answer.read())

    do_GET = do_POST  # noqa: N815 - how the base class calls it

    def _answer(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} .\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    Gate.chroma_port, Gate.key = int(sys.argv[1]), sys.argv[2]
    ThreadingHTTPServer.request_queue_size = 64  # a whole pool may connect at once
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gate)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
