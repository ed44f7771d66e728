"""The door in front of an operation: it looks like the operation, and hands everything on."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from infrastructure.cache.base import BaseCacheProvider
from infrastructure.component import Component
from infrastructure.connections.base import AsyncBaseConnectionManager
from infrastructure.connections.vector.base import VectorStore
from infrastructure.embeddings.base import Embedder
from infrastructure.llm.base import BaseLLMProvider
from infrastructure.observability.telemetry import hook
from infrastructure.operations import observed
from tests.infrastructure.stores import Follower, Memory, Store


def test_door_looks_like_the_operation():
    door = Memory.get
    assert asyncio.iscoroutinefunction(door)
    assert str(inspect.signature(door)) == "(self, key: str, *, default: Any = None) -> Any"
    assert (door.__name__, door.__qualname__) == ("get", "Store.get")


KEPT: list[int] = []


def odd_signatures() -> Iterator[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]]:
    """Methods of every form of parameter, and a call of each."""

    def plain(self, a, b=None):
        return a, b

    def positional_only(self, a, b=2, /, c=3):
        return a, b, c

    def only_positional_only(this, a, /):
        return a

    def keywords_only(self, *, a, b=KEPT):
        return a, b

    def after_stars(self, *rest, a=1, **more):
        return rest, a, more

    def mixed(self, a, /, b, *rest, c, d=4, **more):
        return a, b, rest, c, d, more

    yield plain, (1,), {"b": 2}
    yield positional_only, (1,), {"c": 5}
    yield only_positional_only, (1,), {}
    yield keywords_only, (), {"a": 1}
    yield after_stars, (1, 2), {"a": 3, "hook": 4}
    yield mixed, (1, 2, 3), {"c": 4, "inner": 5, "a": 6}


@pytest.mark.parametrize(
    ("function", "args", "named"),
    list(odd_signatures()),
    ids=lambda one: getattr(one, "__name__", ""),
)
@pytest.mark.parametrize("is_watched", [False, True])
def test_door_hands_every_argument_on(function, args, named, is_watched):
    store, following = Memory(), Follower()
    if is_watched:
        hook.listen(following)
    try:
        assert observed(function)(store, *args, **named) == function(store, *args, **named)
    finally:
        hook.leave(following)
    assert bool(following.told) is is_watched


def test_door_keeps_the_very_default():
    def keep(self, kept=KEPT):
        return kept

    assert observed(keep)(Memory()) is KEPT


def test_wrong_arguments_are_refused_as_before():
    def get(self, key): ...

    with pytest.raises(TypeError, match="missing 1 required positional argument: 'key'"):
        observed(get)(Memory())


def test_abstract_operation_stays_abstract():
    assert Store.__abstractmethods__ == {"get_many"}


def test_operations_of_a_subclass_come_on_top():
    class More(Memory):
        operations = frozenset({"vacuum"})

        async def vacuum(self) -> None: ...

    assert More.operations == {*Store.operations, "vacuum"}


PORTS = (AsyncBaseConnectionManager, BaseCacheProvider, BaseLLMProvider, Embedder, VectorStore)


@pytest.mark.parametrize("port", PORTS, ids=lambda port: port.__name__)
def test_port_names_what_its_backends_must_write(port: type[Component]):
    """What goes to the backend is async; what is not, such as `pool_stats`, asks nobody."""
    written = {name for name in port.__abstractmethods__ if not name.startswith("_")}
    sync = {"pool_stats"}
    assert written - sync <= port.operations
