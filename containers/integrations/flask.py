"""Flask: `setup(app, container)`."""

import weakref
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, cast

from flask import Flask, Response, request

from containers.core.container import Methods
from containers.core.functions import is_started, scope
from containers.core.scopes import Scope
from containers.errors import LifecycleError
from containers.integrations.hosting import Wiring, open_markers, refuse

_UNIT = "switchgear.unit"
_WITHOUT_BODY = {204, 304}


def setup(app: Flask, container: Any, *, start: bool = True) -> None:
    """Give the application its container: wired, started, and a scope for each request.

    Flask is not told when it ends: the container is stopped when the process ends, or when the
    application is thrown away. The scope has the context value `request`. It ends with the view;
    that of a streamed response ends with the stream, with a `ConnectionAbortedError` where the
    client does not take it to its end.

    Args:
        app: The application.
        container: One in which nothing needs an event loop.
        start: Whether to start it now. False where the server forks after loading the
            application: start it in each worker then.

    Raises:
        ContainerError: The application was set up before.
        LifecycleError: The container could not start.
        WiringError: An injected parameter that no wired container can fill; or a marker on a view
            without `@inject`. Views added later are looked at by the first request.
    """
    refuse(_problems(app))
    wiring = Wiring(container, is_set_up="switchgear" in app.extensions)
    if start and not is_started(container):
        _start(container)
        weakref.finalize(app, Methods.__exit__, container, None, None, None)
    app.extensions["switchgear"] = container
    app.before_request_funcs.setdefault(None, []).insert(0, _open)
    app.after_request_funcs.setdefault(None, []).insert(0, _look)
    for name in ("handle_user_exception", "handle_exception"):
        setattr(app, name, _noting(getattr(app, name)))
    app.wsgi_app = _Units(app, wiring)  # type: ignore[method-assign]  # as Flask's manual does


class _Unit:
    """One request: its scope, and what has to be known to end it."""

    def __init__(self, container: Any) -> None:
        self.container = container
        self.is_streamed = False
        self.handled: BaseException | None = None
        self._scope: Scope | None = None

    def open(self) -> None:
        """Open the scope, inside the context in which Flask knows the request."""
        current = cast("Any", request)._get_current_object()  # noqa: SLF001 - the proxy's own door
        self._scope = scope(self.container, request=current).__enter__()

    def end(self, error: BaseException | None = None) -> None:
        """End the scope, once, with what went wrong, though that may have become a response."""
        unit, self._scope = self._scope, None
        wrong = error or self.handled
        if unit is not None:
            unit.__exit__(type(wrong) if wrong else None, wrong, None)


class _Units:
    """The WSGI application, with a unit around each request."""

    def __init__(self, app: Flask, wiring: Wiring) -> None:
        self._inner = app.wsgi_app
        self._views = weakref.ref(app)
        self._wiring = wiring
        self._is_checked = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not self._is_checked:
            refuse(_problems(self._views()))
            self._is_checked = True
        environ[_UNIT] = unit = _Unit(self._wiring.container)
        try:
            body = self._inner(environ, start_response)
        except BaseException as error:
            unit.end(error)
            raise
        if unit.is_streamed and unit.handled is None:
            return _Stream(body, unit)
        unit.end()
        return body


class _Stream(Iterator[bytes]):
    """The body of a streamed response; its end is the unit's."""

    def __init__(self, body: Any, unit: _Unit) -> None:
        self._body = body
        self._pieces = iter(body)
        self._unit = unit
        self._is_over = False

    def __next__(self) -> bytes:
        try:
            return cast("bytes", next(self._pieces))
        except StopIteration:
            self._is_over = True
            raise
        except BaseException as error:
            self._unit.handled = error
            raise

    def close(self) -> None:
        """Called by the server in any case."""
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            self._unit.end(None if self._is_over else self._cut_short())

    def _cut_short(self) -> BaseException:
        return self._unit.handled or ConnectionAbortedError("the response was not read to its end")


def _start(container: Any) -> None:
    try:
        Methods.__enter__(container)
    except LifecycleError as error:
        if any(isinstance(failure, LifecycleError) for failure in error.failures.values()):
            names = ", ".join(f"'{path}'" for path in error.failures)
            raise LifecycleError(
                f"Flask has no event loop to start {names} with",
                hint="Serve the container with an ASGI framework; or call setup(..., start=False): "
                "what needs a loop then opens itself when an `async def` view uses it.",
            ) from error
        raise


def _open() -> None:
    if _UNIT in request.environ:  # not in a context that a test made by hand
        request.environ[_UNIT].open()


def _look(response: Response) -> Response:
    if _UNIT in request.environ:
        has_body = request.method != "HEAD" and response.status_code not in _WITHOUT_BODY
        request.environ[_UNIT].is_streamed = response.is_streamed and has_body
    return response


def _noting(handle: Callable[[Exception], Any]) -> Callable[[Exception], Any]:
    """The same handler of exceptions, and the unit knows of them."""

    def noted(error: Exception) -> Any:
        unit = request.environ.get(_UNIT)
        if unit is not None:
            unit.handled = error
        return handle(error)

    return noted


def _problems(app: Any) -> Iterator[str]:
    for hooks in (app.before_request_funcs, app.after_request_funcs, app.teardown_request_funcs):
        for hook in chain(*hooks.values()):
            yield from open_markers(hook)
    for by_code in app.error_handler_spec.values():
        for handler in chain(*(by_class.values() for by_class in by_code.values())):
            yield from open_markers(handler)
    for view in app.view_functions.values():
        yield from open_markers(view)
        of_class = getattr(view, "view_class", None)
        methods = getattr(of_class, "methods", None) or ()
        for name in ("dispatch_request", *sorted(map(str.lower, methods))):
            yield from open_markers(getattr(of_class, name, None))
