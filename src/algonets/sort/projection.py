"""Projection onto the permutahedron: fast differentiable sorting and ranking."""

import numbers
from typing import Any, Literal, final

import torch
from torch import Tensor

from algonets._core.backend import use_native
from algonets._core.errors import reject, reject_type, require
from algonets.projections import _isotonic as reference
from algonets.projections import _isotonic_native as kernels
from algonets.projections._isotonic import ENTROPY, POWER, SQUARES
from algonets.sort.method import Properties, SortMethod, scalar_scale

__all__ = ["Projection"]


@final
class Projection(SortMethod):
    r"""Project onto the permutahedron, the convex hull of all permutations: ranks, values and top-k masks, no matrix.

    ``P(w)`` is the hull of the permutations of ``w`` and ``R`` the regularisation. Ranks are
    ``argmax <y, x / strength> - R(y)`` over ``y`` in ``P(1, ..., n)``; the mask of the ``k`` largest is the same over
    ``P(1, ..., 1, 0, ..., 0)``, ``k`` ones, its fraction following. With ``"l2"``, ``R = |y|^2 / 2``, an orthogonal
    projection; with a number ``p``, ``R = sum |y|^p / p``, smoother than l2 the nearer ``p`` is to 1; with ``"kl"``
    ``R`` is the negative entropy. Values are the projection of ``(1, ..., n) / strength`` onto ``P(x)``; with
    ``"kl"`` onto ``P(exp(x))``, in the log domain. A number ``p`` has no values: ``|x|^p`` depends on where 0 is.

    Ranks and mask are exact where neighbours differ by ``strength`` or more (l2), values where they differ by
    ``1 / strength`` or less: the strength of values is in units of one over ``x``.

    Args:
        regularization: ``"l2"``, ``"kl"``, or ``p`` in (1, 2]; ``2.0`` gives the ranks and masks of ``"l2"``.
        strength: positive float, or a positive tensor of one element that may need a gradient.

    Raises:
        TypeError: if ``regularization`` is neither a string nor a number, or ``strength`` of the wrong type.
        ValueError: if ``regularization`` is not one of those, or ``strength`` is not positive and finite.

    Differentiability: any order inside the regions where the blocks of the isotonic regression stay the same (l2 is
    piecewise linear there: its second derivative is 0). Items in one block share gradients by averaging, equal items
    in ranks and masks too; an item alone in its block has rank and mask constant, and hands its value on. At the
    border of two regions, one of both one-sided derivatives.
    Cost: O(n log n) time, O(n) memory; with ``p`` O(n) more a round of joining blocks, usually a few dozen. The torch
    reference takes such rounds for all.
    References: Blondel, Teboul, Berthet, Djolonga 2020, Fast Differentiable Sorting and Ranking, eq. 5, prop. 4;
    Sander, Puigcerver, Djolonga, Peyre, Blondel 2023, Fast, Differentiable and Sparse Top-k: a Convex Analysis
    Perspective, sec. 4.

    Example:
        >>> from algonets.sort import soft_rank, soft_sort
        >>> soft_rank(torch.tensor([3.0, 1.0, 1.5]), Projection(strength=1.0))
        tensor([3.0000, 1.2500, 1.7500])
        >>> soft_sort(torch.tensor([3.0, 1.0, 1.5]), Projection(strength=1.0))
        tensor([1.0000, 1.7500, 2.7500])
    """

    abilities = frozenset({"sort", "rank", "mask"})
    properties = Properties(True, True, True, True, True, "piecewise any order", "O(n log n), memory O(n)")
    _reversal = "negate"

    def __init__(self, regularization: Literal["l2", "kl"] | float = "l2", strength: float | Tensor = 1.0):
        self.regularization = regularization
        self.strength = scalar_scale("Projection(strength)", strength)
        self._kind, self._power = _kind_of(regularization)
        if self._kind != SQUARES:
            piecewise = "piecewise any order"
            self.properties = Properties(False, False, False, True, True, piecewise, "O(n log n), memory O(n)")
        if self._kind == POWER:
            self.abilities = frozenset({"rank", "mask"})

    def _matrix(self, x: Tensor) -> Tensor:
        reject(
            "A matrix with method=Projection",
            "is not defined: it moves values and ranks, not items; weights and payloads need a matrix",
            self,
            "For example NeuralSort or SoftSort have one.",
        )

    def sort(self, x: Tensor, descending: bool) -> Tensor:
        """Sorted values of ``(B, n)`` items."""
        compute = kernels.soft_values if use_native("soft_sort", x) else reference.soft_values
        return compute(x, self.strength, self._kind == ENTROPY, descending)

    def _rank(self, x: Tensor) -> Tensor:
        if use_native("soft_rank", x):
            return kernels.project(x, None, self.strength, self._kind, self._power)
        ranks = torch.arange(x.shape[1], 0, -1, dtype=x.dtype, device=x.device)
        return reference.project(x, ranks, self.strength, self._kind, self._power)

    def _mask(self, x: Tensor, k: Tensor) -> Tensor:
        places = torch.arange(x.shape[1], dtype=x.dtype, device=x.device)
        wanted = (k[:, None] - places).clamp(0, 1)
        compute = kernels.project if use_native("soft_topk", x, wanted) else reference.project
        return compute(x, wanted, self.strength, self._kind, self._power)


def _kind_of(regularization: Any) -> tuple[int, float]:
    """The kind as the kernels know it, and 1 / (p - 1)."""
    call, remedy = "Projection(regularization)", 'Use "l2", "kl" or a number p with 1 < p <= 2.'
    if isinstance(regularization, str):
        require(regularization in ("l2", "kl"), call, "must be a known one", regularization, remedy)
        return (SQUARES if regularization == "l2" else ENTROPY), 1.0
    if isinstance(regularization, bool) or not isinstance(regularization, numbers.Real):
        reject_type(call, "must be a string or a number", regularization, remedy)
    p = float(regularization)
    require(1 < p <= 2, call, "must be in (1, 2]: beyond 2 gradients have poles", regularization, remedy)
    power = 1 / (p - 1)
    whole = round(power)
    return POWER, float(whole) if abs(power - whole) < 1e-12 * power else power  # 4/3 means 3: no call of pow
