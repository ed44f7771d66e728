"""The graph as JSON, for other programs."""

import json

from containers.core.drawing.picture import Edge, Node, Picture


def as_json(picture: Picture) -> str:
    """`nodes` with what is known of each, and `edges` with the arguments; order of declaration."""
    told = {
        "nodes": [_node(node) for node in picture.nodes],
        "edges": [_edge(edge) for edge in picture.edges],
    }
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def _node(node: Node) -> dict[str, object]:
    return {
        "path": node.path,
        "lifetime": node.lifetime,
        "async": node.is_async,
        "target": node.target or None,
        "kind": node.kind or None,
        "container": node.box or None,
        "overridden": node.is_overridden,
    }


def _edge(edge: Edge) -> dict[str, object]:
    return {
        "from": edge.source,
        "to": edge.target,
        "argument": ", ".join(edge.arguments) or None,
        "overrides": edge.replaces,
    }
