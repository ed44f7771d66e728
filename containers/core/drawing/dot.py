"""The graph in the language of Graphviz."""

from collections.abc import Iterator

from containers.core.drawing.colors import color_of
from containers.core.drawing.picture import Edge, Node, Picture

_SHAPES = {
    "managed": "component",
    "resource": "cylinder",
    "factory": "hexagon",
    "callable": "hexagon",
    "coroutine": "hexagon",
    "selector": "diamond",
    "object": "note",
    "configuration": "note",
}


def as_dot(picture: Picture) -> str:
    """A directed graph with a cluster for each container; node ids are the paths, in quotes."""
    anchored = {end for edge in picture.edges for end in (edge.source, edge.target)}
    lines = [
        "digraph container {",
        '  graph [rankdir=LR, compound=true, fontname="sans-serif"]',
        '  node [shape=box, style="rounded,filled", fontname="sans-serif", fontsize=11]',
        '  edge [color="#64748b", fontname="sans-serif", fontsize=9]',
        *_box(picture, "", anchored, "  "),
        *(f"  {_arrow(picture, edge)}" for edge in picture.edges if not picture.is_around(edge)),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _box(picture: Picture, path: str, anchored: set[str], indent: str) -> Iterator[str]:
    for node in picture.inside.get(path, ()):
        if node.path not in picture.inside:
            yield f"{indent}{_quoted(node.path)} [{_attributes(node)}]"
            continue
        inner = f"{indent}  "
        yield f"{indent}subgraph {_quoted(f'cluster {node.path}')} {{"
        yield f"{inner}label={_quoted(node.label)}"
        if node.path in anchored:  # an arrow needs a node to point to
            yield f'{inner}{_quoted(node.path)} [shape=point, style=invis, label=""]'
        yield from _box(picture, node.path, anchored, inner)
        yield f"{indent}}}"


def _attributes(node: Node) -> str:
    color = color_of(node.lifetime)
    label = "\n".join(part for part in (node.label, node.kind or node.target) if part)
    shown = {
        "label": label,
        "tooltip": f"{node.path}: {node.lifetime}",
        "color": color.line,
        "fillcolor": color.ground,
    }
    if node.lifetime in _SHAPES:
        shown |= {"shape": _SHAPES[node.lifetime], "style": "filled"}
    if node.is_overridden:
        shown["style"] = "filled,dashed"
    return ", ".join(f"{name}={_quoted(value)}" for name, value in shown.items())


def _arrow(picture: Picture, edge: Edge) -> str:
    shown = {"label": edge.label} if edge.label else {}
    if edge.replaces:
        shown["style"] = "dashed"
    if edge.source in picture.inside:
        shown["ltail"] = f"cluster {edge.source}"
    if edge.target in picture.inside:
        shown["lhead"] = f"cluster {edge.target}"
    options = ", ".join(f"{name}={_quoted(value)}" for name, value in shown.items())
    return f"{_quoted(edge.source)} -> {_quoted(edge.target)}{f' [{options}]' if options else ''}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\0", " ")
    return '"' + escaped.replace("\r", " ").replace("\n", "\\n") + '"'
