"""The graph as a Mermaid flowchart, as Markdown pages show it."""

import re
from collections.abc import Iterator

from containers.core.drawing.colors import class_of, color_of
from containers.core.drawing.picture import Edge, Node, Picture

#: What stands around the label of each lifetime; a rectangle where nothing is said.
_SHAPES = {
    "managed": ("[[", "]]"),
    "resource": ("[(", ")]"),
    "scoped": ("([", "])"),
    "factory": ("{{", "}}"),
    "callable": ("{{", "}}"),
    "coroutine": ("{{", "}}"),
    "selector": ("{", "}"),
    "object": ("[/", "/]"),
    "configuration": ("[/", "/]"),
    "dependency": ("(", ")"),
}
_HARMLESS = re.compile(r"[^\w .,:()-]")


def as_mermaid(picture: Picture) -> str:
    """A flowchart; ids are numbers of ours, every other character of a name is escaped."""
    ids = {node.path: f"n{count}" for count, node in enumerate(picture.nodes)}
    lines = ["flowchart LR", *_box(picture, "", ids, "  ")]
    lines += [f"  {_arrow(edge, ids)}" for edge in picture.edges if not picture.is_around(edge)]
    lines += [f"  {line}" for line in _classes(picture, ids)]
    return "\n".join(lines) + "\n"


def _box(picture: Picture, path: str, ids: dict[str, str], indent: str) -> Iterator[str]:
    for node in picture.inside.get(path, ()):
        if node.path in picture.inside:
            yield f"{indent}subgraph {ids[node.path]} [{_quoted(node.label)}]"
            yield from _box(picture, node.path, ids, f"{indent}  ")
            yield f"{indent}end"
        else:
            opening, closing = _SHAPES.get(node.lifetime, ("[", "]"))
            yield f"{indent}{ids[node.path]}{opening}{_quoted(_label(node))}{closing}"


def _label(node: Node) -> str:
    return f"{node.label} ({node.kind})" if node.kind else node.label


def _arrow(edge: Edge, ids: dict[str, str]) -> str:
    arrow = "-.->" if edge.replaces else "-->"
    label = f"|{_quoted(edge.label)}|" if edge.label else ""
    return f"{ids[edge.source]} {arrow}{label} {ids[edge.target]}"


def _quoted(text: str) -> str:
    """The text in quotes, everything that could mean something as a character's number."""
    return f'"{_HARMLESS.sub(lambda found: f"#{ord(found[0])};", text)}"'


def _classes(picture: Picture, ids: dict[str, str]) -> Iterator[str]:
    members: dict[str, list[str]] = {}
    for node in picture.nodes:
        if node.path not in picture.inside:
            members.setdefault(node.lifetime, []).append(ids[node.path])
    for lifetime, own in members.items():
        color = color_of(lifetime)
        style = f"fill:{color.ground},stroke:{color.line},color:#1e293b"
        yield f"classDef {class_of(lifetime)} {style}"
        yield f"class {','.join(own)} {class_of(lifetime)}"
    overridden = [ids[node.path] for node in picture.nodes if node.is_overridden]
    if overridden:
        yield "classDef overridden stroke-dasharray:4 3"
        yield f"class {','.join(overridden)} overridden"
