"""Every dynamic program on small random inputs of several lengths, with all its structures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from algonets import dp
from tests.oracles import structures as oracle

__all__ = ["PROGRAMS", "Entry", "normal"]

BATCH = 3


@dataclass(frozen=True)
class Entry:
    """A program of tensors, and the structures of one example.

    Attributes:
        build: From the floating tensors and the lengths to the program.
        tensors: A generator to the floating tensors, batch first.
        lengths: Of each of the three examples, as many tuples as there are kinds of length.
        structures: From one example's lengths to all structures; its parts are those of the program.
        factors: From the tensors of one example to the factors that the enumeration scores.
    """

    build: Callable[..., Any]
    tensors: Callable[[torch.Generator], tuple[torch.Tensor, ...]]
    lengths: tuple[tuple[int, ...], ...]
    structures: Callable[..., list]
    factors: Callable[..., tuple[torch.Tensor, ...]] = lambda *tensors: tensors


def normal(generator, *shape):
    """Draw standard normal float64."""
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _drawn(*shapes):
    return lambda generator: tuple(normal(generator, BATCH, *shape) for shape in shapes)


OBSERVED = torch.tensor([[0, 2, 1, 1], [1, 1, 0, 0], [2, 0, 0, 0]])
TARGETS = torch.tensor([[1, 1], [2, 1], [1, 0]])
SIZES = torch.tensor([2, 2, 1])
TARGET_OF = {tuple(n): t for n, t in (((4, 2), [1, 1]), ((3, 2), [2, 1]), ((1, 1), [1]))}


PROGRAMS = {
    "SemiMarkov": Entry(
        dp.SemiMarkov, _drawn((3, 2, 2), (2, 2)), ((3,), (2,), (1,)), lambda n: oracle.segmentations(n, 2, 2)
    ),
    "HMM": Entry(
        lambda a, b, c, n: dp.HMM(a, b, c, OBSERVED, n),
        _drawn((2,), (2, 2), (2, 3)),
        ((4,), (2,), (1,)),
        lambda n: oracle.hidden_states(n, 2),
    ),
    "SecondOrderChain": Entry(
        dp.SecondOrderChain, _drawn((4, 2), (2, 2, 2)), ((4,), (2,), (1,)), lambda n: oracle.second_order_labels(n, 2)
    ),
    "EditDistance": Entry(
        lambda c, d, i, n, m: dp.EditDistance(c, i, d, n, m),
        _drawn((3, 3), (3,), (3,)),
        ((3, 3), (2, 3), (0, 1)),
        oracle.edit_scripts,
        lambda *costs: tuple(-cost for cost in costs),
    ),
    "NeedlemanWunsch": Entry(
        dp.NeedlemanWunsch,
        _drawn((3, 2), (), ()),
        ((3, 2), (2, 2), (1, 1)),
        lambda n, m: oracle.global_alignments(n, m, True),
    ),
    "SmithWaterman": Entry(
        dp.SmithWaterman,
        _drawn((3, 2), (), ()),
        ((3, 2), (2, 2), (1, 1)),
        lambda n, m: oracle.local_alignments(n, m, True),
    ),
    "SoftDTW": Entry(
        lambda d, n, m: dp.SoftDTW(d, 1.0, n, m),
        _drawn((4, 3)),
        ((4, 3), (2, 3), (1, 1)),
        oracle.warping_paths,
        lambda d: (-d,),
    ),
    "CTC": Entry(
        lambda x, n, m: dp.CTC(x, TARGETS, n, m),
        _drawn((4, 3)),
        ((4, 2), (3, 2), (1, 1)),
        lambda n, m: oracle.ctc_labellings(n, 3, TARGET_OF[n, m]),
    ),
    "CKY": Entry(dp.CKY, _drawn((4, 4, 2)), ((4,), (2,), (1,)), lambda n: oracle.trees_of_spans(n, 2)),
    "PCFG": Entry(dp.PCFG, _drawn((3, 2), (2, 4, 4), (2,)), ((3,), (2,), (2,)), lambda n: oracle.derivations(n, 2, 2)),
    "ProjectiveDependency": Entry(
        lambda x, n: dp.ProjectiveDependency(x, n, single_root=False),
        _drawn((4, 4)),
        ((4,), (2,), (1,)),
        lambda n: oracle.trees_of_heads(n, True, False),
    ),
    "ProjectiveDependency, one root": Entry(
        dp.ProjectiveDependency, _drawn((4, 4)), ((4,), (2,), (1,)), lambda n: oracle.trees_of_heads(n, True, True)
    ),
    "SpanningTreeDependency": Entry(
        lambda x, n: dp.SpanningTreeDependency(x, n, single_root=False),
        _drawn((4, 4)),
        ((4,), (2,), (1,)),
        lambda n: oracle.trees_of_heads(n, False, False),
    ),
    "SpanningTreeDependency, one root": Entry(
        dp.SpanningTreeDependency, _drawn((4, 4)), ((4,), (2,), (1,)), lambda n: oracle.trees_of_heads(n, False, True)
    ),
}
