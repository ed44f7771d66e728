"""Where everything stands: boxes laid out from the inside out, each in columns.

Lines leave at the right and arrive at the left. A line that passes a column gets a place of its
own there, shared by all lines to the same target, so that no line runs over a node. A line that
goes back, as in a circle, takes a lane below its box.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from containers.core.drawing import layering
from containers.core.drawing.picture import Edge, Picture

Point = tuple[float, float]
Size = tuple[float, float]
#: A node by its path; or the place of lines to a target in a column they only pass.
Cell = tuple[str, int]

PADDING = 14.0
HEADER = 24.0
ROW_GAP = 12.0
COLUMN_GAP = 46.0
PASSING = 6.0
LANE = 10.0
_RELAXATIONS = 12


@dataclass
class Layout:
    """What a picture looks like: all positions count from its upper left corner.

    Attributes:
        size: Width and height.
        places: Left, top, width and height of every node and box, the outer boxes first.
        lines: The points that the line of each edge goes through; of none between a box and
            what stands in it, nor from a node to itself.
    """

    size: Size
    places: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)
    lines: dict[Edge, list[Point]] = field(default_factory=dict)


@dataclass
class _Box:
    """One box laid out, with positions that count from its own corner."""

    size: Size
    tops: dict[str, Point] = field(default_factory=dict)
    inner: dict[str, "_Box"] = field(default_factory=dict)
    leaving: dict[Edge, list[Point]] = field(default_factory=dict)
    arriving: dict[Edge, list[Point]] = field(default_factory=dict)
    lines: dict[Edge, list[Point]] = field(default_factory=dict)


def laid_out(picture: Picture, sizes: dict[str, Size]) -> Layout:
    """Place everything.

    Args:
        picture: What is drawn.
        sizes: Width and height of every node that is no box; of a box the least it must have.
    """
    apart = [edge for edge in picture.edges if edge.source != edge.target]
    edges = [edge for edge in apart if not picture.is_around(edge)]
    whole = _Arranging(picture, sizes, edges).box("")
    layout = Layout(whole.size)
    _flatten(whole, (0.0, 0.0), layout)
    return layout


def _flatten(box: _Box, corner: Point, layout: Layout) -> None:
    for path, at in box.tops.items():
        left, top = _moved(at, corner)
        inner = box.inner[path]
        layout.places[path] = (left, top, *inner.size)
        _flatten(inner, (left, top), layout)
    for edge, points in box.lines.items():
        layout.lines[edge] = [_moved(point, corner) for point in points]


class _Arranging:
    """Arranges one picture, every box after those in it."""

    def __init__(self, picture: Picture, sizes: dict[str, Size], edges: list[Edge]) -> None:
        self._picture = picture
        self._sizes = sizes
        #: for each box the edges with an end in it, and the items of that box they end in
        self._ends: dict[str, dict[Edge, tuple[str | None, str | None]]] = {}
        for edge in edges:
            sources, targets = picture.way_up(edge.source), picture.way_up(edge.target)
            self._note(edge, sources, targets)

    def box(self, path: str) -> _Box:
        """Arrange what stands in a box; a node is a box with nothing in it."""
        if path and path not in self._picture.inside:
            return self._node(path)
        items = {node.path: self.box(node.path) for node in self._picture.inside.get(path, ())}
        ends = self._ends.get(path, {})
        columns = _Columns(items, ends)
        columns.arrange()
        origin = (PADDING, HEADER + 4 if path else PADDING)
        return columns.framed(path, origin, self._sizes.get(path, (0.0, 0.0)))

    def _node(self, path: str) -> _Box:
        size = self._sizes[path]
        middle = size[1] / 2
        node = _Box(size)
        for edge in self._ends.get(path, {}):
            node.leaving[edge] = [(size[0], middle)]
            node.arriving[edge] = [(0.0, middle)]
        return node

    def _note(self, edge: Edge, sources: list[str], targets: list[str]) -> None:
        inside = dict.fromkeys((*sources, *targets))
        for box in inside:
            source = sources[sources.index(box) - 1] if box in sources[1:] else None
            target = targets[targets.index(box) - 1] if box in targets[1:] else None
            if source != target or source is None:
                self._ends.setdefault(box, {})[edge] = (source, target)


class _Columns:
    """The items of one box in columns, and the lines between, into and out of them."""

    def __init__(
        self, items: dict[str, _Box], ends: dict[Edge, tuple[str | None, str | None]]
    ) -> None:
        self._items = items
        self._ends = ends
        joined = {item for pair in ends.values() for item in pair if item is not None}
        self._loose = [item for item in items if item not in joined]
        joints = [item for item in items if item in joined]
        pairs = [(a, b) for a, b in ends.values() if a is not None and b is not None]
        self._rank = layering.ranks(joints, pairs)
        self._last = max(self._rank.values(), default=-1)
        self._ways = {edge: self._way(edge, *pair) for edge, pair in ends.items()}
        self._columns = self._ordered(joints)
        self._tops: dict[Cell, float] = {}
        self._lefts: list[float] = []
        self._size: Size = (0.0, 0.0)

    def arrange(self) -> None:
        """Find the left of every column and the top of every cell."""
        left = 0.0
        for column in self._columns:
            self._lefts.append(left)
            left += max(self._size_of(cell)[0] for cell in column) + COLUMN_GAP
            top = 0.0
            for cell in column:
                self._tops[cell] = top
                top += self._size_of(cell)[1] + ROW_GAP
        self._relax()
        highest = min(self._tops.values(), default=0.0)
        self._tops = {cell: top - highest for cell, top in self._tops.items()}
        bottoms = (top + self._size_of(cell)[1] for cell, top in self._tops.items())
        self._size = (max(left - COLUMN_GAP, 0.0), max(bottoms, default=0.0))

    def framed(self, path: str, origin: Point, least: Size) -> _Box:
        """The box around them: positions from its corner, lines up to its border."""
        width, height = self._size
        lanes = {edge: count for count, edge in enumerate(self._backwards(), 1)}
        shelf, (wide, high) = _shelf(
            {item: self._items[item].size for item in self._loose}, width, is_whole=not path
        )
        lower = height + len(lanes) * LANE
        below = lower + (ROW_GAP if high and lower else 0.0)
        size = (
            max(max(width, wide) + origin[0] + PADDING, least[0]),
            max(below + high + origin[1] + PADDING, least[1]),
        )
        box = _Box(size, inner=self._items)
        for item in self._items:
            at = self._corner(item) if item in self._rank else _moved(shelf[item], (0.0, below))
            box.tops[item] = _moved(at, origin)
        for edge, (source, target) in self._ends.items():
            points = [_moved(point, origin) for point in self._points(edge, lanes.get(edge, 0))]
            if source is None and target is None:
                self._border(box, edge)
            elif source is None:
                box.arriving[edge] = [(0.0, points[0][1]), *points]
            elif target is None:
                box.leaving[edge] = [*points, (size[0], points[-1][1])]
            else:
                box.lines[edge] = points
        return box

    @staticmethod
    def _border(box: _Box, edge: Edge) -> None:
        """The box itself is the end of the edge."""
        box.leaving[edge] = [(box.size[0], HEADER / 2)]
        box.arriving[edge] = [(0.0, HEADER / 2)]

    def _way(self, edge: Edge, source: str | None, target: str | None) -> list[Cell]:
        """The cells an edge goes through, from left to right; none when it goes back."""
        first = -1 if source is None else self._rank[source]
        last = self._last + 1 if target is None else self._rank[target]
        if source is None and target is None:
            return []
        if first >= last:
            return []
        passed = [(f"to {edge.target}", rank) for rank in range(first + 1, last)]
        head = [] if source is None else [(source, -1)]
        return [*head, *passed, *([] if target is None else [(target, -1)])]

    def _ordered(self, joints: list[str]) -> list[list[Cell]]:
        columns: list[dict[Cell, None]] = [{} for _ in range(self._last + 1)]
        for item in joints:
            columns[self._rank[item]][item, -1] = None
        for way in self._ways.values():
            for name, rank in way:
                if rank >= 0:
                    columns[rank][name, rank] = None
        links = [pair for way in self._ways.values() for pair in pairwise(way)]
        return layering.ordered([list(column) for column in columns], links)

    def _relax(self) -> None:
        """Move the cells of each column to the height of what they are linked with."""
        links: dict[Cell, list[tuple[float, Cell, float]]] = {}
        seen: set[tuple[Cell, float, Cell, float]] = set()
        for edge, way in self._ways.items():
            for left, right in pairwise(way):
                leaves, arrives = self._height(left, edge, 1), self._height(right, edge, 0)
                if (left, leaves, right, arrives) not in seen:
                    seen.add((left, leaves, right, arrives))
                    links.setdefault(left, []).append((leaves, right, arrives))
                    links.setdefault(right, []).append((arrives, left, leaves))
        for count in range(_RELAXATIONS):
            for column in self._columns if count % 2 else reversed(self._columns):
                wanted = [self._wanted(cell, links.get(cell, ())) for cell in column]
                sizes = [self._size_of(cell)[1] for cell in column]
                tops = layering.spread(wanted, sizes, ROW_GAP)
                self._tops.update(zip(column, tops, strict=True))

    def _wanted(self, cell: Cell, links: Iterable[tuple[float, Cell, float]]) -> float:
        tops = [self._tops[other] + height - own for own, other, height in links]
        return sum(tops) / len(tops) if tops else self._tops[cell]

    def _height(self, cell: Cell, edge: Edge, leaving: int) -> float:
        """How far below the top of a cell an edge leaves or arrives."""
        if cell[1] >= 0:
            return PASSING / 2
        box = self._items[cell[0]]
        return box.leaving[edge][-1][1] if leaving else box.arriving[edge][0][1]

    def _points(self, edge: Edge, lane: int) -> list[Point]:
        """The points of an edge inside this box, without its border."""
        source, target = self._ends[edge]
        if lane and source is not None and target is not None:
            return self._lane(edge, source, target, self._size[1] + lane * LANE)
        points: list[Point] = []
        for name, rank in self._ways[edge]:
            if rank >= 0:
                top = self._tops[name, rank] + PASSING / 2
                points += [(self._lefts[rank], top), (self._right(rank), top)]
            elif name == source:
                points += self._out_of(edge, source)
            else:
                points += self._into(edge, name)
        return points

    def _lane(self, edge: Edge, source: str, target: str, low: float) -> list[Point]:
        leaving, arriving = self._out_of(edge, source), self._into(edge, target)
        right, left = leaving[-1][0] + LANE, arriving[0][0] - LANE
        down = [(right, leaving[-1][1]), (right, low), (left, low), (left, arriving[0][1])]
        return [*leaving, *down, *arriving]

    def _out_of(self, edge: Edge, item: str) -> list[Point]:
        """From the end inside an item to the right of its column."""
        corner = self._corner(item)
        points = [_moved(point, corner) for point in self._items[item].leaving[edge]]
        return [*points, (self._right(self._rank[item]), points[-1][1])]

    def _into(self, edge: Edge, item: str) -> list[Point]:
        corner = self._corner(item)
        return [_moved(point, corner) for point in self._items[item].arriving[edge]]

    def _backwards(self) -> Iterator[Edge]:
        for edge, (source, target) in self._ends.items():
            if source is not None and target is not None and not self._ways[edge]:
                yield edge

    def _corner(self, item: str) -> Point:
        return self._lefts[self._rank[item]], self._tops[item, -1]

    def _right(self, rank: int) -> float:
        return self._lefts[rank] + max(self._size_of(cell)[0] for cell in self._columns[rank])

    def _size_of(self, cell: Cell) -> Size:
        return (0.0, PASSING) if cell[1] >= 0 else self._items[cell[0]].size


def _shelf(
    sizes: dict[str, Size], width: float, *, is_whole: bool
) -> tuple[dict[str, Point], Size]:
    """What has no lines, in rows below the rest, as wide as that or roughly square."""
    area = sum((wide + ROW_GAP) * (high + ROW_GAP) for wide, high in sizes.values())
    limit = max(width, (area * (2.0 if is_whole else 1.5)) ** 0.5)
    found: dict[str, Point] = {}
    left = top = row = reach = 0.0
    for item, (wide, high) in sizes.items():
        if left and left + wide > limit:
            left, top, row = 0.0, top + row + ROW_GAP, 0.0
        found[item] = (left, top)
        left, row, reach = left + wide + ROW_GAP, max(row, high), max(reach, left + wide)
    return found, (reach, top + row)


def _moved(point: Point, by: Point) -> Point:
    return point[0] + by[0], point[1] + by[1]
