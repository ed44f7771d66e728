"""Injected functions answer by code written for their signature, and behave as without it."""

import asyncio
import functools
import gc
import inspect
import threading
import traceback
import typing
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import pytest

from containers import DeclarativeContainer, Provide, inject, providers
from containers.core import calls
from containers.core.wiring import Injection
from containers.errors import WiringError


class Service:
    """What is injected."""


class Container(DeclarativeContainer):
    service = providers.Singleton(Service)
    fresh = providers.Factory(Service)


@pytest.fixture
def container() -> Iterator[Any]:
    """A wired one."""
    made = Container().wire()
    yield made
    made.unwire()


def _is_compiled(function: Any) -> bool:
    return "plan" in getattr(function, "__func__", function).__code__.co_filename


def _warm(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call until written code answers; every answer is the same."""
    answers = [function(*args, **kwargs) for _ in range(4)]
    assert all(answer == answers[0] for answer in answers)
    return answers[0]


async def _warm_async(function: Callable[..., Any], *args: Any) -> Any:
    answers = [await function(*args) for _ in range(4)]
    assert all(answer == answers[0] for answer in answers)
    return answers[0]


def test_the_third_call_runs_written_code(container):
    @inject
    def ask(service: Service = Provide["service"]) -> Service:
        return service

    ask()
    assert not _is_compiled(ask)
    ask()
    assert _is_compiled(ask)
    assert ask() is container.service()


def test_every_kind_of_parameter_is_passed_on(container):
    @inject
    def ask_for(a, /, b, c=3, *args, d, e=5, service=Provide["service"], **kwargs):
        return a, b, c, args, d, e, service, kwargs

    ask: Any = ask_for
    service = container.service()
    assert _warm(ask, 1, 2, d=4) == (1, 2, 3, (), 4, 5, service, {})
    assert ask(1, 2, 7, 8, 9, d=4, x=6) == (1, 2, 7, (8, 9), 4, 5, service, {"x": 6})
    assert ask(1, d=4, b=2, a=0) == (1, 2, 3, (), 4, 5, service, {"a": 0})
    assert ask(1, 2, d=4, service=None) == (1, 2, 3, (), 4, 5, None, {})
    assert _is_compiled(ask)


def test_an_injected_parameter_may_stand_before_those_the_caller_gives(container):
    @inject
    def ask_for(service: Annotated[Any, Provide["service"]], name: str, kind: int = 1) -> Any:
        return service, name, kind

    ask: Any = ask_for
    service = container.service()
    assert _warm(ask, name="n") == (service, "n", 1)
    assert ask("given", "n", 2) == ("given", "n", 2)
    with pytest.raises(
        TypeError, match=r"ask_for\(\) missing 1 required positional argument: 'name'"
    ):
        ask()
    assert _is_compiled(ask)


def test_what_the_caller_forgets_or_adds_is_an_error_of_the_function(container):
    @inject
    def ask_for(name: str, service: Service = Provide["service"]) -> Any:
        return name, service

    ask: Any = ask_for
    _warm(ask, "n")
    with pytest.raises(
        TypeError, match=r"ask_for\(\) missing 1 required positional argument: 'name'"
    ):
        ask()
    with pytest.raises(TypeError, match="unexpected keyword argument 'more'"):
        ask("n", more=1)


def test_methods_of_every_kind_are_filled(container):
    class Asking:
        @inject
        def method(self, service: Any = Provide["service"]) -> Any:
            return service

        @inject
        @classmethod
        def of_class(cls, service: Any = Provide["service"]) -> Any:
            return cls, service

        @inject
        @staticmethod
        def static(name: str, service: Any = Provide["service"]) -> Any:
            return name, service

    service = container.service()
    assert _warm(Asking().method) is service
    assert _warm(Asking.of_class) == _warm(Asking().of_class) == (Asking, service)
    assert _warm(Asking.static, "n") == _warm(Asking().static, "n") == ("n", service)
    assert all(map(_is_compiled, (Asking.method, Asking.of_class, Asking.static)))


def test_a_class_is_filled(container):
    @inject
    class Asking:
        def __init__(self, name: str, service: Any = Provide["service"]) -> None:
            self.found = name, service

    assert _warm(lambda: Asking("n").found) == ("n", container.service())
    assert _is_compiled(Asking.__init__)


def test_a_parameter_may_have_a_name_that_written_code_uses(container):
    number = next(calls._numbers) + 1
    names = [f"{name}_{number}" for name in ("function", "absent", "service_object", "value_of")]
    fixed = ["scope", "cells", "missing", "layout", "call", "injection", "print"]
    declared = ", ".join(f"{name}={place}" for place, name in enumerate([*names, *fixed]))
    source = f"def ask({declared}, service=Provide['service'], fresh=Provide['fresh']):"
    space: dict[str, Any] = {"Provide": Provide, "__name__": __name__}
    exec(f"{source}\n    return ({', '.join([*names, *fixed])}, service)", space)
    ask = inject(space["ask"])
    assert _warm(ask) == (*range(11), container.service())
    assert _is_compiled(ask)


@pytest.mark.parametrize("name", ["<lambda>", "class", "ª", "__debug__", "scope", "function_1"])
def test_a_function_may_have_any_name(container, name):
    def ask(service: Any = Provide["service"]) -> Any:
        return service

    ask.__name__ = name
    injected = inject(ask)
    assert _warm(injected) is container.service()
    assert injected.__name__ == name


def test_a_partial_is_filled(container):
    def ask(name: str, service: Any) -> Any:
        return name, service

    injected = inject(functools.partial(ask, service=Provide["service"]))
    assert _warm(injected, "n") == ("n", container.service())


def test_a_decorated_function_is_called_as_its_decorator_expects(container):
    def ask(name: str, service: Any = Provide["service"]) -> Any:
        return name, service

    @inject
    @functools.wraps(ask)
    def by_name(name: str, **kwargs: Any) -> Any:
        return sorted(kwargs), ask(name, **kwargs)

    assert _warm(by_name, "n") == (["service"], ("n", container.service()))


def test_a_decorator_around_sees_the_function_as_ever(container):
    @functools.lru_cache
    @inject
    def ask(name: str, service: Any = Provide["service"]) -> Any:
        return name, service

    assert [ask(name)[0] for name in "abca"] == list("abca")


def test_the_signature_is_the_callers_before_and_after(container):
    @inject
    def ask(a: int, b: str = "b", *, service: Service = Provide["service"], c: float = 1.5) -> bool:
        """Asks."""
        return service is not None

    def seen() -> Any:
        spec = inspect.getfullargspec(ask)
        hints = typing.get_type_hints(ask)
        return inspect.signature(ask), spec, hints, ask.__name__, ask.__doc__, ask.__module__

    before = seen()
    _warm(ask, 1)
    assert _is_compiled(ask)
    assert seen() == before
    assert str(before[0]) == "(a: int, b: str = 'b', *, c: float = 1.5) -> bool"


async def test_a_coroutine_function_stays_one(container):
    async def wait() -> str:
        return "waited"

    container.waited = providers.Factory(wait)

    @inject
    async def ask(service: Any = Provide["service"], waited: Any = Provide["waited"]) -> Any:
        return service, waited

    for _ in range(4):
        assert inspect.iscoroutinefunction(ask)
        assert await ask() == (container.service(), "waited")
    assert _is_compiled(ask)


def test_a_traceback_shows_the_written_line(container):
    failing: list[int] = []
    container.failing = providers.Singleton(lambda: 1)

    @inject
    def ask(service: Any = Provide["service"]) -> float:
        return 1 / (1 - len(failing))

    _warm(ask)
    failing.append(1)
    with pytest.raises(ZeroDivisionError) as caught:
        ask()
    told = "".join(traceback.format_exception(caught.value))
    assert "in ask\n    return function_" in told


def test_a_function_may_call_itself(container):
    @inject
    def factorial(n: int, service: Any = Provide["service"]) -> int:
        assert service is container.service()
        return n * factorial(n - 1) if n else 1

    assert _warm(factorial, 10) == 3628800
    assert _is_compiled(factorial)


def test_overrides_and_resets_reach_a_compiled_call(container):
    @inject
    def ask(service: Any = Provide["service"]) -> Any:
        return service

    before = _warm(ask)
    with container.override(service=(stand_in := Service())):
        assert _warm(ask) is stand_in
    assert _warm(ask) is before
    with container.service.override(providers.Object("direct")):
        assert _warm(ask) == "direct"
    assert _warm(ask) is before
    container.service.reset()
    assert _warm(ask) is not before
    container.service.set_provides(list)
    container.service.reset()
    assert _warm(ask) == []
    assert _is_compiled(ask)


def test_wiring_anew_reaches_a_compiled_call(container):
    @inject
    def ask(service: Any = Provide["service"]) -> Any:
        return service

    assert _warm(ask) is container.service()
    other = Container().wire()
    assert _warm(ask) is other.service()
    other.unwire()
    assert _warm(ask) is container.service()
    container.unwire()
    with pytest.raises(WiringError):
        ask()
    container.wire()
    assert _warm(ask) is container.service()


def test_scoped_objects_are_those_of_the_scope_of_the_call(container):
    container.scoped = providers.Scoped(Service)
    container.made = providers.Factory(lambda scoped: [scoped], container.scoped)

    @inject
    def ask(scoped: Any = Provide["scoped"], made: Any = Provide["made"]) -> Any:
        return scoped, made[0]

    seen = []
    for _ in range(5):
        with container.scope():
            one, other = _warm(ask)
            assert one is other is container.scoped()
            seen.append(one)
    assert len(set(map(id, seen))) == 5
    with container.scope():
        outer = ask()
        with container.scope():
            assert ask()[0] is not outer[0]
        assert ask() == outer


async def test_isolated_overrides_are_seen_by_compiled_calls_of_their_task(container):
    @inject
    async def ask(service: Any = Provide["service"]) -> Any:
        await asyncio.sleep(0)
        return service

    real = await _warm_async(ask)
    together = asyncio.Barrier(20)

    async def task(place: int) -> bool:
        if not place % 2:
            await together.wait()
            return await _warm_async(ask) is real
        stand_in = Service()
        with container.override(service=stand_in, isolated=True):
            await together.wait()
            return await _warm_async(ask) is stand_in

    assert all(await asyncio.gather(*map(task, range(20))))
    assert await _warm_async(ask) is real
    assert _is_compiled(ask)


@pytest.mark.parametrize("change", ["override", "rewire", "unwire"])
async def test_a_call_that_waits_is_not_disturbed_by_changes(change):
    gate = asyncio.Event()

    async def wait() -> str:
        await gate.wait()
        return "waited"

    class Waiting(Container):
        waited = providers.Factory(wait)

    @inject
    async def ask(
        waited: Any = Provide[Waiting.waited], service: Any = Provide[Waiting.service]
    ) -> Any:
        return waited, service

    gate.set()
    container = Waiting().wire()
    assert (await _warm_async(ask))[0] == "waited"
    gate.clear()
    task = asyncio.ensure_future(ask())
    await asyncio.sleep(0)
    for _ in range(3):
        if change == "override":
            with container.override(waited=providers.Factory(str)):
                await _warm_async(ask)
            other = asyncio.ensure_future(_warm_async(ask))
            gate.set()
            await other
            gate.clear()
        else:
            container.unwire()
            container.wire() if change == "rewire" else None
    gate.set()
    assert await task == ("waited", container.service())
    container.unwire()


def test_threads_that_call_while_the_wiring_changes_get_an_object_or_an_error(container):
    done = threading.Event()

    @inject
    def ask(service: Any = Provide["service"]) -> Any:
        return service

    def work(place: int) -> set[type]:
        seen: set[type] = set()
        if place:
            while not done.is_set():
                seen.add(type(ask()))
            return seen
        for _ in range(100):
            other = Container().wire()
            ask()
            other.unwire()
        done.set()
        return seen

    with ThreadPoolExecutor(5) as pool:
        assert set().union(*pool.map(work, range(5))) == {Service}
    assert _warm(ask) is container.service()


def test_what_was_bound_stays_whole_while_another_thread_unwires(container, monkeypatch):
    @inject
    def ask(service: Any = Provide["service"]) -> Any:
        return service

    bind = Injection._bind

    def bind_and_forget(self: Any, *args: Any) -> Any:
        bound = bind(self, *args)
        self.forget()
        return bound

    monkeypatch.setattr(Injection, "_bind", bind_and_forget)
    assert ask() is container.service()


def test_code_that_was_written_while_the_wiring_changed_is_not_used():
    others: list[Any] = []

    class Maker:
        @property
        def __wrapped__(self) -> Any:
            if others:
                others.pop().wire()
            raise AttributeError

        def __call__(self) -> str:
            return "first"

    class First(DeclarativeContainer):
        made = providers.Factory(Maker())

    class Second(DeclarativeContainer):
        made = providers.Object("second")

    container, other = First().wire(), Second()

    @inject
    def ask(made: Any = Provide["made"]) -> Any:
        return made

    ask()
    others.append(other)
    ask()
    assert not others
    assert _warm(ask) == "second"
    other.unwire()
    container.unwire()


def test_a_function_that_fails_is_written_too(container):
    @inject
    def ask(fails: bool, service: Any = Provide["service"]) -> Any:
        if fails:
            raise ValueError
        return service

    for fails in (False, True, False, True, False):
        if fails:
            with pytest.raises(ValueError, match=r"^$"):
                ask(fails)
        else:
            assert ask(fails) is container.service()
    assert _is_compiled(ask)


def test_an_injected_function_and_its_objects_are_let_go(container):
    @inject
    def ask(service: Any = Provide["service"]) -> Any:
        return service

    _warm(ask)
    seen = weakref.ref(ask)
    del ask
    gc.collect()
    assert seen() is None


def test_an_unwired_function_keeps_no_name_of_what_it_used(container):
    @inject
    def ask(service: Any = Provide["service"]) -> Any:
        return service

    names = set(ask.__globals__)
    _warm(ask)
    assert set(ask.__globals__) > names
    container.unwire()
    assert set(ask.__globals__) == names
