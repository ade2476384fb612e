"""Graphs given by their edges: checks, and compressed sparse rows."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from algonets._core.checks import check_at_least
from algonets._core.errors import reject_type, require

__all__ = ["Arcs", "arcs_of", "check_edges", "check_node", "topological_order"]


class Arcs(NamedTuple):
    """Arcs sorted by tail. ``first`` ``(nodes + 1)`` says where those of a node begin."""

    first: Tensor
    tail: Tensor
    head: Tensor
    edge: Tensor


def check_edges(call: str, edges: Any, nodes: int | None) -> tuple[Tensor, int]:
    """Edges as int64 ``(E, 2)`` on the CPU, and the number of nodes."""
    edges = torch.as_tensor(edges)
    if edges.numel() == 0:
        edges = edges.reshape(-1, 2).to(torch.int64)
    if edges.dtype.is_floating_point or edges.dtype.is_complex or edges.dtype == torch.bool:
        reject_type(f"{call}(edges)", "must hold integers", edges)
    require(edges.ndim == 2 and edges.shape[1] == 2, f"{call}(edges)", "must be (E, 2), pairs of nodes", edges)
    edges = edges.to(device="cpu", dtype=torch.int64).contiguous()
    most = int(edges.max()) + 1 if edges.numel() else 0
    nodes = most if nodes is None else check_at_least(f"{call}(nodes)", nodes, 1)
    low = int(edges.min()) if edges.numel() else 0
    require(low >= 0 and most <= nodes, f"{call}(edges)", f"must name nodes from 0 to {nodes - 1}", (low, most - 1))
    require(nodes >= 1, f"{call}(nodes)", "must be at least 1", nodes)
    return edges, nodes


def check_node(call: str, node: Any, nodes: int) -> int:
    """A node, negative ones counted from the end."""
    if isinstance(node, bool) or not isinstance(node, int):
        reject_type(call, "must be a node, an integer", node)
    require(-nodes <= node < nodes, call, f"must be a node, from 0 to {nodes - 1}", node)
    return node % nodes


def arcs_of(edges: Tensor, nodes: int, directed: bool) -> Arcs:
    """Arcs of the edges: one each, or two where they have no direction."""
    number = torch.arange(len(edges))
    tail, head, edge = edges[:, 0], edges[:, 1], number
    if not directed:
        tail, head, edge = torch.cat([tail, head]), torch.cat([head, tail]), torch.cat([number, number])
    order = tail.argsort(stable=True)
    first = torch.zeros(nodes + 1, dtype=torch.int64)
    first[1:] = torch.bincount(tail, minlength=nodes).cumsum(0)
    return Arcs(first, tail[order].contiguous(), head[order].contiguous(), edge[order].contiguous())


def topological_order(arcs: Arcs) -> Tensor | None:
    """Nodes so that all arcs point forward; ``None`` if there is a cycle (Kahn 1962)."""
    nodes = len(arcs.first) - 1
    waiting = torch.bincount(arcs.head, minlength=nodes).tolist()
    first, head = arcs.first.tolist(), arcs.head.tolist()
    order = [v for v in range(nodes) if waiting[v] == 0]
    for v in order:
        for a in range(first[v], first[v + 1]):
            waiting[head[a]] -= 1
            if waiting[head[a]] == 0:
                order.append(head[a])
    return torch.tensor(order, dtype=torch.int64) if len(order) == nodes else None
