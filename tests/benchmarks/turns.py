"""Calls that take turns, so that the machine's moods meet all of them, and the table of them."""

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

#: Name: the call, and the row it is compared with; the empty name for none.
Rows = dict[str, tuple[Callable[[], Any], str]]


def turns(rows: Rows, *, rounds: int, calls: int) -> Iterator[Callable[[], Any]]:
    """Give each row's call in turn, to be made `calls` times; at the end, print the table.

    Process CPU time and wall time: microseconds a call, and the ratio to the other row; medians.
    """
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
    for number in range(rounds + 1):
        for name, (call, _) in rows.items():
            gc.collect()
            cpu, wall = time.process_time(), time.perf_counter()
            yield call
            took = (time.process_time() - cpu, time.perf_counter() - wall)
            if number:  # the first round warms up
                spent[name].append(took)
    for name, (_, peer) in rows.items():
        cpu_figure, wall_figure = (_figure(spent, name, peer, kind, calls) for kind in (0, 1))
        against = f"of {peer}" if peer else ""
        print(f"{name:38} cpu {cpu_figure}  wall {wall_figure}  {against}")


def _figure(
    spent: dict[str, list[tuple[float, float]]], name: str, peer: str, kind: int, calls: int
) -> str:
    mine = statistics.median(each[kind] for each in spent[name])
    ratio = ""
    if peer:
        pairs = zip(spent[name], spent[peer], strict=True)
        ratio = f"{statistics.median(ours[kind] / theirs[kind] for ours, theirs in pairs):5.2f}x"
    return f"{mine / calls * 1e6:7.0f} us {ratio:6}"
