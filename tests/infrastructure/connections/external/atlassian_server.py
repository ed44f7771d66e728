"""A server that answers as the vendor's reference documents it, one list of answers a request."""

from collections.abc import Callable
from typing import Any

from tests.infrastructure.connections.external.raw_server import Seen, answer, json_answer

Scripted = Callable[[Seen], bytes] | bytes


class Script:
    """Answers by method and path; what is not scripted is answered 404."""

    def __init__(self, **answers: Scripted) -> None:
        self._answers: dict[str, list[Scripted]] = {}
        for request, each in answers.items():
            self.on(request, each)

    def on(self, request: str, *answers: Scripted) -> None:
        """Answer `GET /path` by these in turn; the last one stays."""
        self._answers[request] = list(answers)

    def __call__(self, seen: Seen) -> bytes:
        waiting = self._answers.get(f"{seen.method} {seen.path}")
        if not waiting:
            return json_answer({"message": f"no {seen.method} {seen.path}"}, 404)
        found = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return found if isinstance(found, bytes) else found(seen)


def nothing(status: int = 204) -> bytes:
    return answer(status=status)


def reply(found: Any, status: int = 200, **headers: str) -> bytes:
    return json_answer(found, status, **headers)
