"""Flask: views are injected, each request has a scope, and the container lives with the process."""

import gc
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from flask import Blueprint, Flask, Response, abort, request
from flask.views import MethodView

from containers import Provide, inject
from containers.core.scopes import current_scope
from containers.errors import ContainerError, LifecycleError, NoActiveScopeError
from containers.integrations.flask import setup
from tests.containers.integrations.shop import Service, Session, SyncShop


@pytest.fixture
def app(sync_shop) -> Iterator[Flask]:
    """An application that is set up, and thrown away at the end."""
    app = Flask("shop")
    setup(app, sync_shop)
    assert sync_shop.log() == ["start"]
    sync_shop.log().clear()
    yield app
    sync_shop.__exit__(None, None, None)


@pytest.fixture
def client(app) -> Any:
    return app.test_client()


def test_default_and_annotated_markers_are_filled_beside_parameters(app, client, sync_shop):
    @app.get("/<int:number>")
    @inject
    def view(
        number: int,
        annotated: Annotated[Service, Provide[SyncShop.service]],
        default: Service = Provide[SyncShop.service],
    ) -> str:
        return f"{number} {annotated is default}"

    assert client.get("/7").text == "7 True"


def test_a_request_has_one_scope_that_ends_with_the_view(app, client, sync_shop):
    @app.get("/")
    @inject
    def view(session: Session = Provide[SyncShop.session]) -> str:
        return str(session is sync_shop.session())

    assert client.get("/").text == "True"
    assert sync_shop.log() == ["open", "commit"]


def test_the_scope_is_over_although_nobody_reads_the_response(app, sync_shop):
    @app.get("/")
    @inject
    def view(session: Session = Provide[SyncShop.session]) -> str:
        return "unread"

    with app.test_client() as client:
        client.get("/")
        assert sync_shop.log() == ["open", "commit"]


def test_hooks_of_the_application_share_the_scope(app, client, sync_shop):
    @app.before_request
    def before() -> None:
        sync_shop.log().append(sync_shop.session().number)

    @app.after_request
    def after(response: Any) -> Any:
        sync_shop.log().append(sync_shop.session().number)
        return response

    @app.get("/")
    def view() -> str:
        return ""

    client.get("/")
    _, first, second, end = sync_shop.log()
    assert (first, end) == (second, "commit")


def test_views_of_classes_and_blueprints_are_injected(app, client):
    class Till(MethodView):
        @inject
        def get(self, service: Service = Provide[SyncShop.service]) -> str:
            return service.name

    shelf = Blueprint("shelf", "shelf", url_prefix="/shelf")

    @shelf.get("/")
    @inject
    def view(service: Service = Provide[SyncShop.service]) -> str:
        return service.name

    app.register_blueprint(shelf)
    app.add_url_rule("/till", view_func=Till.as_view("till"))
    assert client.get("/till").text == client.get("/shelf/").text == "service"


def test_an_error_that_becomes_a_response_rolls_back(app, client, sync_shop):
    @app.errorhandler(KeyError)
    def gone(error: KeyError) -> tuple[str, int]:
        return "gone", 410

    @app.get("/abort")
    @inject
    def aborting(session: Session = Provide[SyncShop.session]) -> None:
        abort(409)

    @app.get("/gone")
    @inject
    def failing(session: Session = Provide[SyncShop.session]) -> None:
        raise KeyError

    assert client.get("/abort").status_code == 409
    assert client.get("/gone").status_code == 410
    assert sync_shop.log() == ["open", "rollback Conflict", "open", "rollback KeyError"]


@pytest.mark.parametrize("testing", [True, False])
def test_an_unhandled_error_rolls_back(app, client, sync_shop, testing):
    app.testing = testing

    @app.get("/")
    @inject
    def view(session: Session = Provide[SyncShop.session]) -> None:
        raise ZeroDivisionError

    if testing:
        with pytest.raises(ZeroDivisionError):
            client.get("/")
    else:
        assert client.get("/").status_code == 500
    assert sync_shop.log() == ["open", "rollback ZeroDivisionError"]


def test_an_error_of_a_later_hook_rolls_back(app, client, sync_shop):
    @app.after_request
    def broken(response: Any) -> Any:
        raise OSError("no space left")

    @app.get("/")
    @inject
    def view(session: Session = Provide[SyncShop.session]) -> str:
        return ""

    assert client.get("/").status_code == 500
    assert sync_shop.log() == ["open", "rollback OSError"]


def test_the_scope_of_a_streamed_response_ends_with_the_stream(app, client, sync_shop):
    @app.get("/")
    @inject
    def view(session: Session = Provide[SyncShop.session]) -> Iterator[str]:
        sync_shop.log().append("piece")
        yield str(session is sync_shop.session())

    with client.get("/") as response:
        assert response.text == "True"
    assert sync_shop.log() == ["open", "piece", "commit"]


def test_an_error_in_a_stream_rolls_back(app, client, sync_shop):
    @app.get("/")
    @inject
    def view(session: Session = Provide[SyncShop.session]) -> Iterator[str]:
        yield "piece"
        raise LookupError

    with client.get("/") as response, pytest.raises(LookupError):
        _ = response.data
    assert sync_shop.log() == ["open", "rollback LookupError"]


def test_a_stream_that_the_client_leaves_rolls_back(app, client, sync_shop):
    @app.get("/")
    @inject
    def view(session: Session = Provide[SyncShop.session]) -> Iterator[str]:
        yield from ("piece", "piece")

    with client.get("/", buffered=False) as response:
        next(iter(response.response))
    assert sync_shop.log() == ["open", "rollback ConnectionAbortedError"]


def test_a_stream_of_which_only_the_head_is_asked_commits(app, client, sync_shop):
    @app.get("/")
    @inject
    def view(session: Session = Provide[SyncShop.session]) -> Response:
        return Response(iter(("piece",)))

    with client.head("/", buffered=False):
        assert sync_shop.log() == ["open", "commit"]


def test_a_failing_end_of_an_object_is_an_error_of_the_request(app, client, sync_shop):
    class Full(list[str]):
        def append(self, line: str) -> None:
            if line == "commit":
                raise OSError("no space left")

    @app.get("/")
    @inject
    def view(session: Session = Provide[SyncShop.session]) -> str:
        return ""

    with sync_shop.override(log=Full()), pytest.raises(ExceptionGroup, match="failed to end"):
        client.get("/")


def test_the_request_is_a_context_value_of_the_scope(app, client):
    @app.get("/")
    def view() -> str:
        scope = current_scope()
        assert scope is not None
        known: Any = request
        return str(scope.context["request"] is known._get_current_object())

    assert client.get("/").text == "True"


def test_a_context_made_by_hand_has_no_scope_and_does_no_harm(app, sync_shop):
    with app.test_request_context("/"):
        app.preprocess_request()
        with pytest.raises(NoActiveScopeError):
            sync_shop.session()


def test_overrides_reach_views(app, client, sync_shop):
    class Fake(Service):
        name = "fake"

    @app.get("/")
    @inject
    def view(service: Service = Provide[SyncShop.service]) -> str:
        return service.name

    with sync_shop.override(service=Fake()):
        assert client.get("/").text == "fake"


def test_the_container_is_stopped_when_the_application_is_thrown_away(sync_shop):
    app = Flask("shop")
    setup(app, sync_shop)
    del app
    gc.collect()
    assert sync_shop.log() == ["start", "stop"]


def test_a_container_need_not_be_started_before_the_server_forks(sync_shop):
    setup(Flask("shop"), sync_shop, start=False)
    assert not sync_shop.is_started


def test_a_container_that_needs_an_event_loop_is_an_error_that_says_what_to_do(shop):
    with pytest.raises(LifecycleError, match=r"no event loop to start 'server' .*start=False"):
        setup(Flask("shop"), shop)


def test_a_failed_start_is_an_error_of_setup(sync_shop):
    def broken(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError("no route to host")

    sync_shop.server.set_provides(broken)
    with pytest.raises(LifecycleError, match="no route to host"):
        setup(Flask("shop"), sync_shop)


def test_a_second_setup_is_an_error(app, sync_shop):
    with pytest.raises(ContainerError, match="set up before"):
        setup(app, sync_shop)
