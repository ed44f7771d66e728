import json
import re
import string
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from dependency_injector import providers as di
from hypothesis import given, settings
from hypothesis import strategies as st

import containers
from containers import Container, DeclarativeContainer, DynamicContainer, providers
from containers.core import graph
from containers.core.drawing import FORMATS
from containers.core.drawing.layering import ordered, ranks, spread
from containers.core.drawing.layout import Layout, laid_out
from containers.core.drawing.picture import Edge, Picture, picture_of
from containers.core.drawing.svg import _size
from containers.errors import ContainerError, UnknownProviderError

SVG = "{http://www.w3.org/2000/svg}"
#: What one line of a flowchart may be; labels hold nothing that means something.
LABEL = r'"[\w .,:()#;-]*"'
MERMAID = re.compile(
    rf"flowchart LR|\s+subgraph n\d+ \[{LABEL}\]|\s+end"
    rf"|\s+n\d+(\[\[|\[\(|\(\[|\{{\{{|\{{|\[/|\[|\(){LABEL}(\]\]|\)\]|\]\)|\}}\}}|\}}|/\]|\]|\))"
    rf"|  n\d+ (-->|-\.->)(\|{LABEL}\|)? n\d+"
    r"|  classDef \w+ [\w:#, -]+|  class n\d+(,n\d+)* \w+"
)
DOT_TEXT = r'"(?:[^"\\]|\\.)*"'


def data(container: Any, **options: Any) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(container.graph("json", **options))
    return told


def edges(container: Any, **options: Any) -> set[tuple[str, str]]:
    return {(edge["from"], edge["to"]) for edge in data(container, **options)["edges"]}


def paths(container: Any, **options: Any) -> list[str]:
    return [node["path"] for node in data(container, **options)["nodes"]]


KINDS = (
    providers.Singleton,
    providers.Factory,
    providers.Callable,
    providers.Scoped,
    providers.Managed,
    di.Singleton,
    di.Resource,
)


WORDS = st.text(string.ascii_lowercase, min_size=1, max_size=4)


@st.composite
def random_containers(draw: st.DrawFn, names: st.SearchStrategy[str] = WORDS) -> Any:
    """Providers that need any others, circles too, in groups inside each other."""
    container = DynamicContainer()
    groups: list[Any] = [container]
    made: list[Any] = []
    for name in draw(st.lists(names, min_size=1, max_size=9, unique=True)):
        owner = draw(st.sampled_from(groups))
        if draw(st.booleans()):
            provider: Any = draw(st.sampled_from(KINDS))(dict)
            made.append(provider)
        else:
            provider = providers.Group()
            groups.append(provider)
        add(owner, name, provider)
    for provider in made:
        needs = draw(st.lists(st.sampled_from([*made, *groups[1:]]), max_size=3))
        provider.add_kwargs(**{f"a{count}": other for count, other in enumerate(needs)})
    return container


def add(owner: Any, name: str, provider: Any) -> None:
    if isinstance(owner, providers.Group):
        owner.providers[name] = provider
    else:
        owner.set_provider(name, provider)


@given(random_containers())
def test_the_edges_are_the_dependencies_of_what_is_walked(container: Any):
    known = graph.paths(container)
    expected = {
        (path, known[other])
        for provider, path in known.items()
        if not isinstance(provider, providers.Group)
        for other in graph.dependencies(provider)
    }
    assert edges(container) == expected
    assert paths(container) == list(known.values())


@given(random_containers())
def test_a_picture_is_xml_with_each_provider_once(container: Any):
    shown = [
        node.get("data-node")
        for node in ET.fromstring(container.graph("svg")).iter()
        if node.get("data-node")
    ]
    assert sorted(map(str, shown)) == sorted(paths(container))


@given(random_containers(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)))
def test_no_name_breaks_a_format(container: Any):
    for line in container.graph().splitlines():
        assert MERMAID.fullmatch(line), line
    root = ET.fromstring(container.graph("svg"))
    assert len(list(root.iter(f"{SVG}style"))) == 1
    assert_is_dot(container.graph("dot"))
    assert len(set(paths(container))) == len(paths(container))


def assert_is_dot(text: str) -> None:
    """Outside quotes only what the language has, brackets closed, no line left open."""
    bare = re.sub(DOT_TEXT, "Q", text)
    assert re.fullmatch(r"[\w\s=,.{}\[\]>-]*", bare), bare
    assert bare.count("{") == bare.count("}")
    assert bare.count("[") == bare.count("]")


@pytest.mark.parametrize(
    "name",
    ['a"]; x', "<script>alert(1)</script>", "end", "a|b", "#quot;", "`x`", "\\", "\\n", "ü日本"],
)
def test_a_hostile_name_is_text_in_every_format(name: str):
    container = DynamicContainer()
    container.set_provider(name, providers.Factory(dict))
    drawn = re.search(r'n0\{\{"(.*)"\}\}', container.graph())
    assert drawn
    assert re.sub(r"#(\d+);", lambda found: chr(int(found[1])), drawn[1]) == name
    titles = [each.text for each in ET.fromstring(container.graph("svg")).iter(f"{SVG}title")]
    assert titles == [f"{name}: factory\ndict"]
    assert_is_dot(container.graph("dot"))


@given(random_containers())
def test_mermaid_ids_are_unique(container: Any):
    found = re.findall(r"^\s+(?:subgraph )?(n\d+)[ \[({]", container.graph(), re.MULTILINE)
    drawn = [each for each in found if each]
    nodes = [line for line in container.graph().splitlines() if re.match(r"\s+n\d+[\[({]", line)]
    boxes = [line for line in container.graph().splitlines() if "subgraph" in line]
    assert len(nodes) + len(boxes) == len(set(drawn)) == len(paths(container))


def laid(container: Any) -> tuple[Picture, Layout]:
    picture = picture_of(container)
    sizes = {node.path: _size(node, is_box=node.path in picture.inside) for node in picture.nodes}
    return picture, laid_out(picture, sizes)


@given(random_containers())
def test_nothing_overlaps_and_boxes_hold_what_is_in_them(container: Any):
    picture, layout = laid(container)
    for node in picture.nodes:
        left, top, width, height = layout.places[node.path]
        outer = layout.places[node.box] if node.box else (0, 0, *layout.size)
        assert left >= outer[0]
        assert top >= outer[1]
        assert left + width <= outer[0] + outer[2] + 0.01
        assert top + height <= outer[1] + outer[3] + 0.01
    for inside in picture.inside.values():
        for count, one in enumerate(inside):
            for other in inside[count + 1 :]:
                assert are_apart(layout.places[one.path], layout.places[other.path])


def are_apart(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return (
        one[0] + one[2] <= other[0]
        or other[0] + other[2] <= one[0]
        or one[1] + one[3] <= other[1]
        or other[1] + other[3] <= one[1]
    )


@settings(max_examples=60)
@given(random_containers())
def test_no_line_runs_over_a_node_it_does_not_belong_to(container: Any):
    picture, layout = laid(container)
    nodes = [node.path for node in picture.nodes if node.path not in picture.inside]
    for edge in layout.lines:
        for x, y in along(layout, edge):
            for path in nodes:
                left, top, width, height = layout.places[path]
                is_over = left < x < left + width and top < y < top + height
                assert not is_over or path in {edge.source, edge.target}, (edge, path)


def along(layout: Layout, edge: Edge) -> Iterator[tuple[float, float]]:
    """Points of a line, which bows where it goes to the right."""
    points = layout.lines[edge]
    for (left, top), (x, y) in pairwise(points):
        for part in range(11):
            at = part / 10
            is_bow = x > left
            across = 1.5 * at * (1 - at) + at**3 if is_bow else at
            down = at * at * (3 - 2 * at) if is_bow else at
            yield left + (x - left) * across, top + (y - top) * down


@given(random_containers())
def test_every_edge_has_a_line(container: Any):
    picture = picture_of(container)
    drawn = container.graph("svg").count('<path class="edge ')
    assert drawn == len([edge for edge in picture.edges if not picture.is_around(edge)])


def test_the_same_container_gives_the_same_text_in_another_process():
    code = "import containers; print(*map(containers.Container(profile='test').graph, {!r}))"
    command = [sys.executable, "-c", code.format(tuple(FORMATS))]
    texts = {
        subprocess.run(
            command, env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1


class Sub(DeclarativeContainer):
    config = providers.Configuration()
    client: providers.Singleton[Any] = providers.Singleton(dict, url=config.url.as_(str))


class App(DeclarativeContainer):
    config = providers.Configuration()
    sub = providers.Container(Sub, config=config.sub)
    kept: providers.Singleton[Any] = providers.Singleton(
        dict, size=config.size.required(), client=sub.client.provided.inner["x"]
    )
    page: providers.Factory[Any] = providers.Factory(
        dict, kept=kept, retry=providers.Factory(dict, again=kept)
    )
    lone: providers.Object[Any] = providers.Object(1)
    whole: providers.Factory[Any] = providers.Factory(dict, sub=sub)
    handing_on: providers.Factory[Any] = providers.Factory(dict, make=page.provider)


def test_options_and_what_looks_into_others_are_told_as_what_they_belong_to():
    assert edges(App()) == {
        ("sub.config", "config"),
        ("sub.client", "sub.config"),
        ("kept", "config"),
        ("kept", "sub.client"),
        ("page", "kept"),
        ("page", "page(retry)"),
        ("page(retry)", "kept"),
        ("whole", "sub"),
    }


def test_an_edge_has_the_argument_and_a_node_what_is_known_of_it():
    told = data(App())
    (edge,) = [each for each in told["edges"] if each["from"] == "page(retry)"]
    assert edge == {"from": "page(retry)", "to": "kept", "argument": "again", "overrides": False}
    assert told["nodes"][0] == {
        "path": "config",
        "lifetime": "configuration",
        "async": False,
        "target": None,
        "kind": None,
        "container": None,
        "overridden": False,
    }


def test_a_class_is_drawn_like_its_container():
    drawn: Any = containers.graph
    assert drawn(App, "json") == App().graph("json")


def test_focus_shows_what_is_reached_and_what_reaches_it():
    assert set(paths(App(), focus="kept")) == {
        *("config", "sub", "sub.config", "sub.client", "kept", "page", "page(retry)"),
    }
    assert set(paths(App(), focus=App.lone)) == {"lone"}


def test_focus_on_a_container_means_all_that_is_in_it():
    assert set(paths(App(), focus="sub")) >= {"sub.client", "sub.config", "config", "kept", "whole"}


def test_focus_on_nothing_known_is_an_error():
    with pytest.raises(UnknownProviderError, match="Did you mean 'kept'"):
        App().graph(focus="keptt")


def test_focus_on_what_is_not_drawn_is_an_error():
    app = App()
    with pytest.raises(UnknownProviderError):
        app.graph(focus=providers.Factory(dict, kept=app.kept))


def test_an_unknown_format_lists_the_known_ones():
    with pytest.raises(ContainerError, match=r"no format 'pdf'.*dot, json, mermaid, svg"):
        App().graph("pdf")


@pytest.mark.parametrize("format", FORMATS)
def test_a_circle_is_drawn(format: str):
    class Circle(DeclarativeContainer):
        ping: providers.Singleton[Any] = providers.Singleton(dict)
        pong: providers.Singleton[Any] = providers.Singleton(dict, ping=ping)
        ping.add_kwargs(pong=pong, ping=ping)

    assert Circle().graph(format)
    assert edges(Circle()) == {("ping", "pong"), ("pong", "ping"), ("ping", "ping")}


def test_an_override_is_drawn_beside_what_is_declared():
    app = App()
    with app.override(kept={"other": 1}):
        told = data(app)
        picture = app.graph("svg")
    (edge,) = [each for each in told["edges"] if each["overrides"]]
    assert (edge["from"], edge["to"]) == ("kept", "kept(override)")
    assert 'class="node singleton overridden"' in picture
    assert edges(app) == edges(App())


def test_a_picture_asks_nothing_from_outside_and_runs_nothing():
    picture = Container(profile="test").graph("svg")
    addresses = re.findall(r"\w+://[^\"']+", picture)
    assert addresses == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"<script|@import|<image|<foreignObject|href=|\son\w+=", picture)
    assert "prefers-color-scheme: dark" in picture


def test_the_root_container_shows_the_kinds_of_its_profile():
    nodes = {node["path"]: node for node in data(Container(profile="test"))["nodes"]}
    assert nodes["llm.default"]["kind"] == "scripted"
    assert nodes["cache.instances.signup"]["container"] == "cache.instances"


def test_drawing_calls_no_provider():
    def never() -> None:
        raise AssertionError("drawing calls nothing")

    class Idle(DeclarativeContainer):
        one = providers.Singleton(never)
        two = providers.Selector(providers.Callable(never), one=one)

    for kind in FORMATS:
        assert Idle().graph(kind)


def test_a_long_chain_is_drawn():
    container = DynamicContainer()
    before: Any = providers.Factory(dict)
    for count in range(300):
        before = providers.Factory(dict, before=before)
        container.set_provider(f"p{count}", before)
    assert container.graph("svg").count("data-node") == 301


columns = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=25)


@given(columns)
def test_who_needs_stands_left_unless_there_is_a_circle(pairs: list[tuple[int, int]]):
    forward = [(str(a), str(b)) for a, b in pairs if a < b]
    found = ranks([str(item) for item in range(10)], forward)
    assert all(found[a] < found[b] for a, b in forward)


@given(columns)
def test_ordering_loses_nothing(pairs: list[tuple[int, int]]):
    left, right = list(range(10)), list(range(10, 20))
    swapped = ordered([left, right], [(a, b + 10) for a, b in pairs])
    assert [sorted(column) for column in swapped] == [left, right]


def test_ordering_undoes_a_cross():
    swapped = ordered([["a", "b"], ["c", "d"]], [("a", "d"), ("b", "c")])
    assert swapped in ([["a", "b"], ["d", "c"]], [["b", "a"], ["c", "d"]])


heights = st.lists(st.tuples(st.floats(-500, 500), st.floats(1, 80)), min_size=1, max_size=20)


@given(heights)
def test_a_column_is_spread_without_overlap(cells: list[tuple[float, float]]):
    sizes = [size for _, size in cells]
    tops = spread([want for want, _ in cells], sizes, 5)
    for above, size, below in zip(tops, sizes, tops[1:], strict=False):
        assert below >= above + size + 5 - 1e-6


@given(heights)
def test_a_column_that_fits_stands_where_it_wants(cells: list[tuple[float, float]]):
    wanted = [count * 100.0 for count in range(len(cells))]
    assert spread(wanted, [size for _, size in cells], 5) == pytest.approx(wanted)
