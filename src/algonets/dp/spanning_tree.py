"""All dependency trees, crossing arcs or not: sums by the matrix-tree theorem, the best by Edmonds' algorithm."""

import math
from typing import Any, final

import torch

from algonets._core.checks import check_at_least
from algonets._core.errors import reject
from algonets._core.numerics import logsumexp
from algonets._core.operator import Operator
from algonets.dp._arborescence import best_tree
from algonets.dp.dependency import DependencyTrees, checked_arcs
from algonets.dp.program import Parts
from algonets.semirings import Log, MaxPlus, Semiring

__all__ = ["SpanningTreeDependency"]


@final
class SpanningTreeDependency(DependencyTrees):
    r"""All dependency trees (arborescences) over n words.

    .. math:: Z = \sum_{\text{trees}} \prod_{(h \to c)} e^{\theta_{h,c}} = \det L, \qquad
              L_{cc} = e^{\theta_{cc}} + \sum_{h \ne c} e^{\theta_{hc}}, \quad L_{hc} = -e^{\theta_{hc}}

    The determinant is found by eliminating one word after the other in log space: the Laplacian's diagonal is always
    the sum of what is left of its column, so that nothing is ever subtracted (Grassmann, Taksar and Heyman). It is
    exact for scores of any size, where a determinant by LU, with or without an epsilon, loses all digits.

    Parts are 0/1 ``(n, n)``: entry [h, c] is the arc from head h to child c, the diagonal [c, c] that from the root.

    Args:
        scores: ``(*batch, n, n)``; -inf forbids.
        lengths: Words of each example, ``batch``, from 1 to n, the default.
        single_root: Whether exactly one word depends on the root; else at least one.

    Raises:
        ValueError, TypeError: wrong shapes or dtypes, NaN or +inf, lengths out of range; :meth:`topk` and semirings
            other than ``Log`` and ``MaxPlus``, which have no such recursion.

    Differentiability: as :class:`DynamicProgram`.

    Cost: sums ``O(batch n^3)`` time, or ``O(batch n^4)`` with a single root; the best tree ``O(n^3)``, or ``O(n^4)``,
    an example, on the CPU.

    References:
        W. Tutte, *Graph Theory*, 1984. T. Koo et al., *Structured Prediction Models via the Matrix-Tree Theorem*,
        EMNLP 2007. J. Edmonds, *Optimum Branchings*, 1967.
        W. Grassmann, M. Taksar, D. Heyman, Operations Research 33(5), 1985.

    Example:
        >>> program = SpanningTreeDependency(torch.zeros(4, 4), single_root=False)
        >>> round(program.log_partition().exp().item())  # Cayley: (n + 1)^(n - 1)
        125
    """

    def __init__(self, scores: torch.Tensor, lengths: torch.Tensor | None = None, single_root: bool = True):
        flat, shape, ends = checked_arcs("SpanningTreeDependency", scores, lengths)
        super().__init__((flat,), shape, ends - 1, single_root=bool(single_root))

    @staticmethod
    def inside(semiring: Semiring, *factors: torch.Tensor, **options: Any) -> torch.Tensor:
        """There is no recursion without division; sums are eliminations in log space."""
        if not isinstance(semiring, Log):
            rule = "must be Log() or MaxPlus(): the matrix-tree theorem divides"
            reject(
                "SpanningTreeDependency.reduce(semiring)", rule, semiring, "Use ProjectiveDependency for the others."
            )
        (scores,) = factors
        words = range(1, scores.shape[1] + 1)
        return torch.stack([_total(scores[:, :n, :n], options["single_root"]) for n in words], 1)

    def topk(self, k: int) -> tuple[torch.Tensor, Parts]:
        """Not available: raises a ``ValueError``."""
        return reject(
            "SpanningTreeDependency.topk(k)", "must be asked of ProjectiveDependency", k, "Or draw a sample()."
        )

    def count(self) -> torch.Tensor:
        """Return how many trees are allowed, float64 ``(*batch,)``: exact to about 12 digits."""
        scores = self._factors[0].detach().double()
        flat = torch.where(scores == -math.inf, scores, torch.zeros_like(scores)).flatten(1)
        return self._unflatten(self._log_z(flat).exp().round())

    def feasible(self) -> torch.Tensor:
        """Return whether any tree is allowed, bool ``(*batch,)``."""
        return self._unflatten(self._log_z(self._scores().detach()) > -math.inf)

    def reduce(self, semiring: Semiring) -> torch.Tensor:
        """Return :meth:`log_partition` for ``Log()`` and :meth:`max` for ``MaxPlus()``; no other semiring will do."""
        if isinstance(semiring, MaxPlus):
            return self.max()
        return super().reduce(semiring)

    def sample(self, n: int = 1, generator: torch.Generator | None = None) -> Parts:
        """Draw trees, one head after the other given those before; see :meth:`DynamicProgram.sample`.

        Cost: as n times as many :meth:`marginals` as there are words.
        """
        n = check_at_least("SpanningTreeDependency.sample(n)", n, 1)
        scores = self._factors[0].detach().repeat(n, 1, 1)
        goal = self._goal.repeat(n)
        size = scores.shape[1]
        drawn = torch.zeros_like(scores)
        for child in range(size):
            heads = self._expected(scores, goal)[:, :, child].clamp_min(0)  # rounding may leave -1e-17
            possible = (heads.sum(1) > 0.5)[:, None]
            choice = torch.multinomial(torch.where(possible, heads, torch.ones_like(heads)), 1, generator=generator)
            column = torch.zeros_like(heads).scatter(1, choice, 1.0) * possible
            drawn[:, :, child] = column
            keep = (column > 0) | ~possible
            scores[:, :, child] = torch.where(keep, scores[:, :, child], -math.inf)
        found = drawn.unflatten(0, (n, len(self._goal)))
        return found.reshape(n, *self.batch_shape, size, size)

    # ---- no circuit: the eliminations run in torch -----------------------------------------------------------------

    def _native(self, scores: torch.Tensor) -> bool:
        return False

    def _log_z(self, scores: torch.Tensor) -> torch.Tensor:
        return self._sum(scores.unflatten(1, self._shapes()[0]), self._goal)

    def _sum(self, scores: torch.Tensor, goal: torch.Tensor) -> torch.Tensor:
        """(B,) log-sums; words beyond the length hang on the root with score 0, or on the first word."""
        n = scores.shape[1]
        word = torch.arange(n, device=scores.device)
        outside = (word > goal[:, None])[:, None, :]  # children
        heads_outside = (word > goal[:, None])[:, :, None]
        idle = (word[:, None] == (0 if self._options["single_root"] else word)).expand(n, n)
        filled = torch.where(outside & idle, 0.0, torch.where(outside | heads_outside, -math.inf, scores))
        return _total(filled, self._options["single_root"])

    def _expected(self, scores: torch.Tensor, goal: torch.Tensor) -> torch.Tensor:
        """(B, n, n) marginals."""
        found = torch.func.grad(lambda x: self._sum(x, goal).sum())(scores)
        return found

    def _marginals(self, scores: torch.Tensor) -> torch.Tensor:
        return self._expected(scores.unflatten(1, self._shapes()[0]), self._goal).flatten(1)

    def _best(self, scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        table = scores.detach().unflatten(1, self._shapes()[0])
        value, parts = _best_trees(table, self._goal, self._options["single_root"])
        return value, parts.flatten(1)


# ---- the best tree, an operator so that vmap and torch.compile see through ------------------------------------------


def _search(scores: torch.Tensor, goal: torch.Tensor, single_root: bool) -> tuple[torch.Tensor, torch.Tensor]:
    parts = torch.zeros_like(scores, memory_format=torch.contiguous_format)
    value = scores.new_full((len(scores),), -math.inf)
    for b, last in enumerate(goal.tolist()):
        n = last + 1
        heads = best_tree(scores[b, :n, :n].detach().double().cpu().numpy(), single_root)
        if heads is not None:
            where = (torch.as_tensor(heads, device=scores.device), torch.arange(n, device=scores.device))
            parts[b][where] = 1
            value[b] = scores[b][where].sum()
    return value, parts


def _found(scores: torch.Tensor, goal: torch.Tensor, single_root: bool) -> tuple[torch.Tensor, torch.Tensor]:
    empty = torch.empty_like(scores, memory_format=torch.contiguous_format)
    return scores.new_empty(scores.shape[0]), empty


_best_trees = Operator(
    "best_trees", _search, _found, lambda ctx, inputs, output: None, lambda ctx, *grads: (None, None, None)
)


def _total(scores: torch.Tensor, single_root: bool) -> torch.Tensor:
    """(B,) log-sums over trees of (B, n, n) scores, whose diagonal is the root's."""
    n = scores.shape[1]
    eye = torch.eye(n, dtype=torch.bool, device=scores.device)
    if single_root:  # every word as the only root in turn
        chosen = eye[:, None, :]  # (root, 1, child)
        kept = torch.where(chosen, eye, ~eye)  # the root word has no other head, others have no root
        every = torch.where(kept, scores.unsqueeze(1), torch.full_like(scores, -math.inf).unsqueeze(1))
        return logsumexp(_eliminate(every), 1)
    return _eliminate(scores)


def _eliminate(scores: torch.Tensor) -> torch.Tensor:
    """(*batch,) log-sums over trees of (*batch, n, n) scores: words leave one by one, their arcs go to their heads."""
    n = scores.shape[-1]
    root, arcs = scores.diagonal(dim1=-2, dim2=-1), scores
    total = torch.zeros_like(root[..., 0])
    for k in range(n - 1, -1, -1):  # word k hangs on the root or on a word before it
        into = torch.cat([root[..., k : k + 1], arcs[..., :k, k]], -1)
        pivot = logsumexp(into, -1, keepdim=True)
        total = total + pivot.squeeze(-1)
        if k == 0:
            break
        share = into - torch.where(pivot == -math.inf, torch.zeros_like(pivot), pivot)
        below = arcs[..., k, :k]
        root = _log_add(root[..., :k], share[..., :1] + below)
        arcs = _log_add(arcs[..., :k, :k], share[..., 1:].unsqueeze(-1) + below.unsqueeze(-2))
    return torch.where(total == -math.inf, torch.full_like(total, -math.inf), total)


def _log_add(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return logsumexp(torch.stack([a, b], -1), -1)
