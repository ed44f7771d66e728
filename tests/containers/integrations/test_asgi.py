"""Each connection of any ASGI application has one scope, that ends when its response is sent."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from containers.core.scopes import current_scope
from containers.errors import NoActiveScopeError
from containers.integrations.asgi import ScopeMiddleware, note


class Full(list[str]):
    """A log that has no room for a commit."""

    def append(self, line: str) -> None:
        if line == "commit":
            raise OSError("no space left")


BODY = "http.response.body"

Serve = Callable[..., Awaitable[list[Any]]]


@pytest.fixture
def serve(shop) -> Serve:
    """Serve one connection by an application behind the middleware; give what it sent."""

    async def run(app: Any, kind: str = "http", **options: Any) -> list[Any]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            if "more_body" in message:
                sent.append(message["body"])
                shop.log().append(f"sent {message['body']}")

        await ScopeMiddleware(answering(app), shop, **options)({"type": kind}, None, send)
        return sent

    return run


def answering(app: Any) -> Any:
    """An application that is given a function to send a piece, and sends the end itself."""

    async def answer(connection: Any, receive: Any, send: Any) -> None:
        def piece(body: Any) -> Any:
            return send({"type": BODY, "body": body, "more_body": True})

        await app(connection, receive, piece)
        await send({"type": BODY, "body": ""})

    return answer


async def unheard(message: Any) -> None:
    """Where messages go that do not matter."""


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_a_connection_has_one_scope_that_ends_after_it(shop, serve, kind):
    async def app(connection, receive, send):
        assert await shop.session() is await shop.session()
        await send("answer")

    await serve(app, kind)
    assert shop.log() == ["open", "sent answer", "commit"]


async def test_the_lifespan_passes_through_without_a_scope(shop, serve):
    async def app(connection, receive, send):
        with pytest.raises(NoActiveScopeError):
            await shop.session()
        await send("started")

    assert await serve(app, "lifespan") == ["started"]


async def test_an_exception_reaches_the_scope_and_goes_on(shop, serve):
    async def app(connection, receive, send):
        await shop.session()
        raise LookupError("no such thing")

    with pytest.raises(LookupError, match="no such thing"):
        await serve(app)
    assert shop.log() == ["open", "rollback LookupError"]


async def test_an_exception_that_became_a_response_reaches_the_scope(shop, serve):
    async def app(connection, receive, send):
        await shop.session()
        note(connection, LookupError())
        await send("not found")

    assert await serve(app) == ["not found"]
    assert shop.log() == ["open", "sent not found", "rollback LookupError"]


async def test_a_second_try_of_a_connection_does_not_fail_for_the_first(shop):
    async def app(connection, receive, send):
        await shop.session()
        if receive:
            note(connection, LookupError())

    connection = {"type": "http"}
    for receive in (True, False):
        await ScopeMiddleware(answering(app), shop)(connection, receive, unheard)
    assert shop.log() == ["open", "rollback LookupError", "open", "commit"]


async def test_an_application_inside_another_tells_both_scopes(shop):
    async def app(connection, receive, send):
        await shop.session()
        note(connection, LookupError())

    async def outer(connection, receive, send):
        await shop.session()
        await ScopeMiddleware(app, shop)(connection, receive, send)

    await ScopeMiddleware(outer, shop)({"type": "http"}, None, unheard)
    assert shop.log() == ["open", "open", *["rollback LookupError"] * 2]


async def test_a_streamed_response_keeps_the_scope_until_its_last_piece(shop, serve):
    async def app(connection, receive, send):
        for number in range(2):
            await shop.session()
            await send(number)

    await serve(app)
    assert shop.log() == ["open", "sent 0", "sent 1", "commit"]


async def test_the_request_is_a_context_value_of_the_scope(shop, serve):
    async def app(connection, receive, send):
        scope = current_scope()
        assert scope is not None
        await send(scope.context["request"] is connection)

    assert await serve(app) == [True]


async def test_what_the_request_is_can_be_chosen(serve):
    async def app(connection, receive, send):
        scope = current_scope()
        assert scope is not None
        await send(scope.context["request"])

    assert await serve(app, request=lambda connection: connection["type"]) == ["http"]


async def test_a_cancelled_connection_rolls_back(shop, serve):
    reached = asyncio.Event()

    async def app(connection, receive, send):
        await shop.session()
        reached.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(serve(app))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert shop.log() == ["open", "rollback CancelledError"]


async def test_a_response_that_is_cut_short_rolls_back(shop):
    async def app(connection, receive, send):
        await shop.session()
        await send({"type": BODY, "body": "piece", "more_body": True})

    await ScopeMiddleware(app, shop)({"type": "http"}, None, unheard)
    assert shop.log() == ["open", "rollback ConnectionAbortedError"]


async def test_a_response_that_ends_with_trailers_commits(shop):
    async def app(connection, receive, send):
        await shop.session()
        await send({"type": "http.response.start", "status": 200, "trailers": True})
        await send({"type": BODY, "body": "all", "more_body": False})
        await send({"type": "http.response.trailers", "headers": [], "more_trailers": False})

    await ScopeMiddleware(app, shop)({"type": "http"}, None, unheard)
    assert shop.log() == ["open", "commit"]


async def test_an_application_around_another_is_told_of_what_it_answers_itself(shop):
    async def app(connection, receive, send):
        raise LookupError

    async def outer(connection, receive, send):
        await shop.session()
        try:
            await ScopeMiddleware(app, shop)(connection, receive, send)
        except LookupError as error:
            note(connection, error)

    await ScopeMiddleware(answering(outer), shop)({"type": "http"}, None, unheard)
    assert shop.log() == ["open", "rollback LookupError"]


async def test_ten_connections_at_once_have_ten_sessions(shop, serve):
    together = asyncio.Barrier(10)

    async def app(connection, receive, send):
        session = await shop.session()
        await together.wait()
        assert await shop.session() is session
        await send(session.number)

    answers = await asyncio.gather(*(serve(app) for _ in range(10)))
    assert len({answer[0] for answer in answers}) == 10


async def test_a_failing_end_of_an_object_is_told_to_the_server(shop, serve):
    async def app(connection, receive, send):
        await shop.session()
        await send("answer")

    with shop.override(log=Full()), pytest.raises(ExceptionGroup, match="failed to end"):
        await serve(app)
