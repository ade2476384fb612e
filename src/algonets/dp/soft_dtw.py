"""Soft dynamic time warping: the smooth minimum over all alignments of two series."""

import math
from typing import Any, final

import torch

from algonets._core.backend import use_native
from algonets._core.checks import check_at_least, check_floating, check_positive, check_same_kind
from algonets._core.errors import require
from algonets._core.shapes import flatten_batch
from algonets.dp import _soft_dtw_native as kernels
from algonets.dp import _soft_dtw_reference as reference
from algonets.dp._chain_factors import check_lengths
from algonets.dp.edit_distance import checked_costs
from algonets.dp.program import DynamicProgram, Parts
from algonets.semirings import Semiring

__all__ = ["SoftDTW", "soft_dtw_divergence"]


@final
class SoftDTW(DynamicProgram):
    r"""All monotone alignments of a series of n points with one of m, from both first to both last points.

    .. math:: \text{value} = -\tau \log \sum_{A} e^{-\langle A, D \rangle / \tau}, \qquad
              r_{ij} = D_{ij} + \text{softmin}_\tau(r_{i-1,j-1}, r_{i-1,j}, r_{i,j-1})

    A structure is a path A, a 0/1 matrix of steps down, right or diagonal; its score is
    :math:`-\langle A, D \rangle / \tau`, so that all inherited methods speak of the same distribution over paths:
    :meth:`marginals` is :meth:`alignment`, :meth:`log_partition` is -value / :math:`\tau`, and samples and entropy are
    those at :math:`\tau`. At temperature 0 the score is :math:`-\langle A, D \rangle`, and sums, marginals and samples
    are those of the best path; a temperature given to a method multiplies the object's.

    Args:
        distances: D, ``(*batch, n, m)``: any real costs, +inf forbids.
        temperature: :math:`\tau > 0`, or 0 for the hard minimum (classical DTW).
        lengths: How many points the first series of each example has, ``batch``, from 1 to n, the default.
        target_lengths: Of the second, from 1 to m.
        band: Half width, in points, of a Sakoe-Chiba band around the line between the two corners of each example;
            no band by default. At least one cell a row (or column) stays, so that a path always exists.

    Raises:
        ValueError, TypeError: wrong shapes or dtypes, NaN or -inf, lengths out of range, negative temperature or band.

    Differentiability: any order (first derivatives from a kernel, higher ones from the recursion);
    piecewise linear at temperature 0.

    Cost: ``O(batch n m)`` time; memory beside the distances ``O(n + m)`` an example for
    :meth:`value` without a gradient (lengths or a band take a copy of the distances), else ``O(n m)``.

    References:
        M. Cuturi, M. Blondel, *Soft-DTW: a Differentiable Loss Function for Time-Series*, ICML 2017.
        H. Sakoe, S. Chiba, IEEE Transactions on Acoustics, Speech and Signal Processing 26(1), 1978.

    Example:
        >>> x, y = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([0.0, 2.0])
        >>> program = SoftDTW((x[:, None] - y) ** 2, temperature=0.1)
        >>> round(program.value().item(), 3), SoftDTW((x[:, None] - y) ** 2, 0.0).value().item()
        (0.931, 1.0)
    """

    factor_names = ("distances",)

    def __init__(
        self,
        distances: torch.Tensor,
        temperature: float = 1.0,
        lengths: torch.Tensor | None = None,
        target_lengths: torch.Tensor | None = None,
        band: int | None = None,
    ):
        check_floating("SoftDTW(distances)", distances)
        require(distances.ndim >= 2, "SoftDTW(distances)", "must have shape (*batch, n, m)", distances)
        *batch, n, m = distances.shape
        shape = torch.Size(batch)
        require(n >= 1 and m >= 1, "SoftDTW(distances)", "must have at least one row and one column", distances)
        if temperature != 0:
            check_positive("SoftDTW(temperature)", temperature, "0 is the hard minimum.")
        self.temperature = float(temperature)
        self._rows = check_lengths("SoftDTW(lengths)", lengths, shape, n, distances.device)
        self._columns = check_lengths("SoftDTW(target_lengths)", target_lengths, shape, m, distances.device)
        costs = flatten_batch(distances, 2)
        row, column = (torch.arange(size, device=costs.device) for size in (n, m))
        row, column = row[None, :, None], column[None, None, :]
        if lengths is not None or target_lengths is not None:  # padding may hold anything, NaN too
            inside = (row < self._rows[:, None, None]) & (column < self._columns[:, None, None])
            costs = torch.where(inside, costs, torch.zeros_like(costs))
        costs = checked_costs("SoftDTW", "distances", costs, 2)
        if band is not None:
            width = check_at_least("SoftDTW(band)", band, 0)
            near = _near(row, column, self._rows[:, None, None], self._columns[:, None, None], width)
            costs = torch.where(near, costs, torch.full_like(costs, math.inf))
        self._costs, self.batch_shape, self._options = costs, shape, {}
        self._goal = (self._rows - 1) * m + self._columns - 1

    @property
    def _factors(self) -> tuple[torch.Tensor, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The scores of the inherited methods, made when asked for: :meth:`value` needs no other copy of the costs."""
        return (-self._costs / self.temperature if self.temperature else -self._costs,)

    @_factors.setter
    def _factors(self, factors: tuple[torch.Tensor, ...]) -> None:
        self._costs = -factors[0] * (self.temperature or 1.0)

    def value(self) -> torch.Tensor:
        """Return the (soft) minimum over all alignments, ``(*batch,)``; it may be negative, +inf if none is allowed.

        Differentiability: any order; the gradient is :meth:`alignment`.
        """
        native = use_native("SoftDTW.value", self._costs)
        arguments = (self._costs, self._rows, self._columns, self.temperature)
        if not native:
            return self._unflatten(reference.value(*arguments))
        if torch.is_grad_enabled() and self._costs.requires_grad:
            return self._unflatten(kernels.solve(*arguments)[0])
        return self._unflatten(kernels.value(*arguments))

    def alignment(self) -> torch.Tensor:
        """Return the expected path ``(*batch, n, m)``: the probability that points meet; a path at temperature 0.

        Differentiability: any order; none at temperature 0.
        """
        return self._unflatten(self._solve(self._costs, self.temperature)[1])

    def sample(self, n: int = 1, generator: torch.Generator | None = None) -> Parts:
        """Draw paths as 0/1 ``(n, *batch, rows, columns)``; at temperature 0 the best path, n times."""
        if self.temperature > 0:
            return super().sample(n, generator)
        n = check_at_least("SoftDTW.sample(n)", n, 1)
        best = self.alignment().detach()
        return best.expand(n, *best.shape).clone()

    @staticmethod
    def inside(semiring: Semiring, *factors: torch.Tensor, **options: Any) -> torch.Tensor:
        """Fill the grid; an example of any lengths finds its value in it."""
        return reference.inside(semiring, *factors)

    # ---- the inherited methods run on the same kernel ------------------------------------------------------------

    def _solve(self, costs: torch.Tensor, temperature: float) -> tuple[torch.Tensor, torch.Tensor]:
        run = kernels.solve if use_native("SoftDTW", costs) else reference.solve
        return run(costs, self._rows, self._columns, temperature)

    def _grid(self, scores: torch.Tensor) -> torch.Tensor:
        return -scores.unflatten(1, self._shapes()[0])

    def _log_z(self, scores: torch.Tensor) -> torch.Tensor:
        return -self._solve(self._grid(scores), float(self.temperature > 0))[0]

    def _marginals(self, scores: torch.Tensor) -> torch.Tensor:
        return self._solve(self._grid(scores), float(self.temperature > 0))[1].flatten(1)

    def _best(self, scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        cost, path = self._solve(self._grid(scores.detach()), 0.0)
        return -cost, path.flatten(1)


def _near(
    row: torch.Tensor, column: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor, width: int
) -> torch.Tensor:
    """Cells within ``width`` of the line between the corners, along the longer side, and the line itself."""
    across, down = columns - 1, rows - 1
    gap = (row * across - column * down).abs()  # times the slope: whole numbers, exact
    # Moving along the line by one cell of the longer side changes the shorter by at most one: 1/2 keeps it connected.
    return 2 * gap <= (2 * width + 1) * torch.maximum(across, down)


def soft_dtw_divergence(
    x: torch.Tensor,
    y: torch.Tensor,
    temperature: float = 1.0,
    lengths: torch.Tensor | None = None,
    target_lengths: torch.Tensor | None = None,
) -> torch.Tensor:
    r"""Return the soft-DTW divergence of two series under squared Euclidean costs.

    .. math:: D_\tau(x, y) = \text{dtw}_\tau(x, y) - \tfrac12 \text{dtw}_\tau(x, x) - \tfrac12 \text{dtw}_\tau(y, y)

    Non-negative, and zero where x equals y, unlike soft-DTW itself.

    Args:
        x: ``(*batch, n, d)``.
        y: ``(*batch, m, d)``.
        temperature, lengths, target_lengths: As for :class:`SoftDTW`.

    Returns:
        ``(*batch,)``.

    Raises:
        ValueError, TypeError: wrong shapes or dtypes, NaN or inf.

    Differentiability: any order.

    Cost: three soft-DTWs.

    References:
        M. Blondel, A. Mensch, J.-P. Vert, *Differentiable Divergences Between Time Series*, AISTATS 2021, equation (9).

    Example:
        >>> x = torch.tensor([[0.0], [1.0], [2.0]])
        >>> soft_dtw_divergence(x, x).item(), soft_dtw_divergence(x, x + 1).item() > 0
        (0.0, True)
    """
    first = SoftDTW(squared_distances("soft_dtw_divergence", x, y), temperature, lengths, target_lengths).value()
    own = SoftDTW(squared_distances("soft_dtw_divergence", x, x), temperature, lengths, lengths).value()
    theirs = SoftDTW(squared_distances("soft_dtw_divergence", y, y), temperature, target_lengths, target_lengths)
    return first - (own + theirs.value()) / 2


def squared_distances(call: str, x: Any, y: Any) -> torch.Tensor:
    """Return all squared Euclidean distances of points (..., n, d) and (..., m, d), by differences: exact near 0."""
    for name, value in (("x", x), ("y", y)):
        check_floating(f"{call}({name})", value)
        require(value.ndim >= 2, f"{call}({name})", "must have shape (*batch, points, dimensions)", value)
    check_same_kind(f"{call}(y)", y, x, "x")
    require(x.shape[-1] == y.shape[-1], f"{call}(y)", f"must have points of {x.shape[-1]} dimensions", y)
    x, y = (value.to(torch.promote_types(value.dtype, torch.float32)) for value in (x, y))
    return ((x.unsqueeze(-2) - y.unsqueeze(-3)) ** 2).sum(-1)
