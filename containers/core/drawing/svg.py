"""The graph as a picture that needs nothing else: no script, no font and no style from outside."""

import re
import unicodedata
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from containers.core.drawing.colors import class_of, color_of
from containers.core.drawing.layout import HEADER, Layout, Point, laid_out
from containers.core.drawing.picture import Edge, Node, Picture

_CHARACTER = 7.4
_SMALL_CHARACTER = 6.2
_NODE_HEIGHT = 40.0
_LINE_HEIGHT = 26.0
_LONGEST = 34
_LEGEND = 34.0
#: Heights that differ by less are one.
_STRAIGHT = 0.5
#: What XML cannot hold, whichever way it is escaped.
_UNSPEAKABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

#: How round the corners are: the gray ones differ in nothing else.
_ROUNDINGS = {"scoped": 20.0, "object": 1.0, "configuration": 1.0, "dependency": 11.0}

_STYLE = """
svg { --page: #ffffff; --text: #172033; --soft: #5b6678 }
svg { --edge: #8a97aa; --box: #f8fafc; --rim: #d5dce6 }
.page { fill: var(--page) }
text { fill: var(--text) }
text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace }
.name { font-size: 12.3px; font-weight: 600 }
.detail { font-size: 10.3px; fill: var(--soft) }
.box > rect { fill: var(--box); stroke: var(--rim) }
.box > text { font-size: 11.5px; font-weight: 600; fill: var(--soft) }
.node > rect { stroke-width: 1.2 }
.overridden > rect { stroke-dasharray: 5 3 }
.edge { fill: none; stroke: var(--edge); stroke-width: 1.2 }
.edge.override { stroke-dasharray: 5 3 }
.tip { fill: var(--edge) }
.node:hover > rect { stroke-width: 2.4 }
"""
_DARK = (
    "svg { --page: #0f1520; --text: #e6ebf3; --soft: #9aa7ba; --edge: #66758c; "
    "--box: #151d2a; --rim: #2c3748 }"
)


def as_svg(picture: Picture) -> str:
    """A picture with a title for each provider; those in boxes stand in their containers."""
    sizes = {node.path: _size(node, is_box=node.path in picture.inside) for node in picture.nodes}
    layout = laid_out(picture, sizes)
    legend, reach = _legend(picture, layout.size[1])
    width, height = max(layout.size[0], reach, 120), layout.size[1] + (_LEGEND if legend else 0)
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    names = {node.path: f"n{count}" for count, node in enumerate(picture.nodes)}
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="Providers">',
        f"<style>{_style(picture, names)}</style>",
        _MARKER,
        '<rect class="page" width="100%" height="100%"/>',
        *(_box(node, layout) for node in _boxes(picture, layout)),
        *_lines(picture, layout, names),
        *(_node(node, layout, names) for node in picture.nodes if node.path not in picture.inside),
        *legend,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


_MARKER = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7.4" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path class="tip" d="M0 .8 8 4 0 7.2z"/></marker></defs>'
)


def _style(picture: Picture, names: dict[str, str]) -> str:
    """The colors of the lifetimes that occur; a node under the pointer shows its lines."""
    light, dark = [_STYLE.strip()], [_DARK]
    for lifetime in dict.fromkeys(node.lifetime for node in picture.nodes):
        color, name = color_of(lifetime), class_of(lifetime)
        light.append(f".{name} > rect {{ fill: {color.ground}; stroke: {color.line} }}")
        dark.append(f".{name} > rect {{ fill: {color.dark_ground}; stroke: {color.dark_line} }}")
    light.append(".group > rect { stroke: var(--rim) }")
    dark.append(".group > rect { stroke: var(--rim) }")
    for edge_end in dict.fromkeys(end for e in picture.edges for end in (e.source, e.target)):
        name = names[edge_end]
        light.append(
            f"svg:has(#{name}:hover) .{name}-line {{ stroke: var(--text); stroke-width: 2 }}"
        )
    return "\n".join([*light, "@media (prefers-color-scheme: dark) {", *dark, "}"])


def _size(node: Node, *, is_box: bool) -> tuple[float, float]:
    if is_box:
        return _wide(node.label) * _CHARACTER + 28, HEADER
    detail = _detail(node)
    wide = max(_wide(_short(node.label)) * _CHARACTER, _wide(detail) * _SMALL_CHARACTER)
    return wide + 24, _NODE_HEIGHT if detail else _LINE_HEIGHT


def _detail(node: Node) -> str:
    """The second line of a node: its kind, or the class behind it."""
    nothing = "empty" if node.lifetime == "group" else node.lifetime
    words = [node.kind or node.target.rpartition(".")[2] or nothing]
    words += ["async"] if node.is_async else []
    words += ["overridden"] if node.is_overridden else []
    return _short(" · ".join(filter(None, words)))


def _boxes(picture: Picture, layout: Layout) -> Iterator[Node]:
    """Outer ones first, so that the inner ones lie on them."""
    yield from (picture.by_path[path] for path in layout.places if path in picture.inside)


def _box(node: Node, layout: Layout) -> str:
    left, top, width, height = layout.places[node.path]
    return (
        f'<g class="box" data-node={_attribute(node.path)}>{_title(node)}'
        f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="10"/>'
        f'<text x="{left + 12:g}" y="{top + 17:g}">{_text(node.label)}</text></g>'
    )


def _node(node: Node, layout: Layout, names: dict[str, str]) -> str:
    left, top, width, height = layout.places[node.path]
    detail = _detail(node)
    rounding = _ROUNDINGS.get(node.lifetime, 6)
    first = top + (17 if detail else height / 2 + 4.3)
    second = f'<text class="detail" x="{left + 12:g}" y="{top + 31:g}">{_text(detail)}</text>'
    overridden = " overridden" if node.is_overridden else ""
    return (
        f'<g id="{names[node.path]}" class="node {class_of(node.lifetime)}{overridden}" '
        f"data-node={_attribute(node.path)}>{_title(node)}"
        f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="{rounding:g}"/>'
        f'<text class="name" x="{left + 12:g}" y="{first:g}">{_text(_short(node.label))}</text>'
        f"{second if detail else ''}</g>"
    )


def _title(node: Node) -> str:
    lines = [f"{node.path}: {node.lifetime}", node.target]
    lines += [f"kind {node.kind}"] if node.kind else []
    lines += ["to be awaited"] if node.is_async else []
    lines += ["overridden"] if node.is_overridden else []
    return f"<title>{_text(chr(10).join(filter(None, lines)))}</title>"


def _lines(picture: Picture, layout: Layout, names: dict[str, str]) -> Iterator[str]:
    for edge in picture.edges:
        if edge.source == edge.target:
            drawn = _loop(*layout.places[edge.source])
        elif edge in layout.lines:
            drawn = _path(layout.lines[edge])
        else:
            continue
        ends = f"{names[edge.source]}-line {names[edge.target]}-line"
        override = " override" if edge.replaces else ""
        yield (
            f'<path class="edge {ends}{override}" d="{drawn}" '
            f'marker-end="url(#tip)">{_line_title(edge)}</path>'
        )


def _line_title(edge: Edge) -> str:
    label = f" ({edge.label})" if edge.label else ""
    return f"<title>{_text(f'{edge.source} → {edge.target}{label}')}</title>"


def _path(points: list[Point]) -> str:
    """Straight where it can be, else a bow from one column to the next."""
    (left, top), *others = points
    steps = [f"M{left:g} {top:g}"]
    for x, y in others:
        if x > left and abs(y - top) > _STRAIGHT:
            middle = (left + x) / 2
            steps.append(f"C{middle:g} {top:g} {middle:g} {y:g} {x:g} {y:g}")
        elif (x, y) != (left, top):
            steps.append(f"L{x:g} {y:g}")
        left, top = x, y
    return "".join(steps)


def _loop(left: float, top: float, width: float, height: float) -> str:
    """From the right of a node back to it."""
    right, middle = left + width, top + height / 2
    return f"M{right:g} {middle - 7:g}c13 -8 13 22 0 14"


def _legend(picture: Picture, top: float) -> tuple[list[str], float]:
    """One sample of each lifetime that is drawn, and how far they reach."""
    drawn = (node.lifetime for node in picture.nodes if node.path not in picture.inside)
    left, lines = 14.0, []
    for lifetime in dict.fromkeys(drawn):
        rounding = min(_ROUNDINGS.get(lifetime, 6) / 2, 6)
        lines.append(
            f'<g class="{class_of(lifetime)}">'
            f'<rect x="{left:g}" y="{top + 6:g}" width="16" height="12" rx="{rounding:g}"/>'
            f'<text class="detail" x="{left + 22:g}" y="{top + 16:g}">{_text(lifetime)}</text></g>'
        )
        left += 22 + len(lifetime) * _SMALL_CHARACTER + 18
    return lines, left


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _wide(text: str) -> int:
    """How many columns of a fixed-width font it takes."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def _text(text: str) -> str:
    return escape(_UNSPEAKABLE.sub("\ufffd", text))


def _attribute(text: str) -> str:
    return quoteattr(_UNSPEAKABLE.sub("\ufffd", text))
