"""What holds for any graph of services and any order of asking."""

from hypothesis import given
from hypothesis import strategies as st

from containers.core.services import DIContainer, ServiceLifetime
from tests.containers.core.services.models import Plain

KEPT_BY_SCOPES = st.sampled_from([ServiceLifetime.SCOPED, ServiceLifetime.TRANSIENT])


@st.composite
def graphs(draw: st.DrawFn) -> list[tuple[ServiceLifetime, list[int]]]:
    """Nodes, each with its lifetime and the earlier nodes that it needs."""
    count = draw(st.integers(1, 8))
    needs = [
        draw(st.lists(st.sampled_from(range(node)), unique=True)) if node else []
        for node in range(count)
    ]
    return [(draw(KEPT_BY_SCOPES), needed) for needed in needs]


class Node:
    def __init__(self, made: list["Node"], ended: list["Node"]) -> None:
        self.ended = ended
        made.append(self)

    def close(self) -> None:
        self.ended.append(self)


@given(graphs(), st.data())
def test_a_scope_ends_all_it_made_in_reverse(graph, data):
    made: list[Node] = []
    ended: list[Node] = []
    container = DIContainer()

    def register(number: int, lifetime: ServiceLifetime, needed: list[int]) -> None:
        def make(provider):
            for key in needed:
                provider.resolve(Node, key)
            return Node(made, ended)

        container.register_factory(Node, make, lifetime, key=number)

    for number, (lifetime, needed) in enumerate(graph):
        register(number, lifetime, needed)
    with container.create_scope() as scope:
        for number in data.draw(st.lists(st.sampled_from(range(len(graph))), max_size=5)):
            scope.resolve(Node, number)
    assert ended == made[::-1]


@given(st.lists(st.sampled_from(["a", "b", None]), max_size=12))
def test_collections_keep_the_order_and_the_last_one_wins(keys):
    container = DIContainer()
    registered: dict[str | None, list[Plain]] = {"a": [], "b": [], None: []}
    for key in keys:
        registered[key].append(plain := Plain())
        container.register_instance(Plain, plain, key=key)
    for key, plains in registered.items():
        assert container.resolve(list[Plain], key) == plains
        assert container.resolve_optional(Plain, key) is (plains[-1] if plains else None)
