"""Edit distances: hard by bits, soft by a dynamic program over all ways to turn one sequence into another."""

import math
import numbers
from typing import Any, final

import torch

from algonets._core.backend import get_num_threads, native, use_native
from algonets._core.checks import check_floating, check_positive, check_same_kind, values_visible
from algonets._core.errors import reject, reject_type, require
from algonets._core.shapes import flatten_batch, unflatten_batch
from algonets.dp._chain_factors import check_lengths
from algonets.dp._scan import pad, wavefront
from algonets.dp.program import DynamicProgram, per_example
from algonets.semirings import Semiring

__all__ = ["EditDistance", "edit_distance"]


@final
class EditDistance(DynamicProgram):
    r"""All edit scripts that turn a sequence of n symbols into one of m, and what they cost.

    .. math:: d_{i,j} = \min(d_{i-1,j-1} + c_{ij},\; d_{i-1,j} + \text{delete}_i,\; d_{i,j-1} + \text{insert}_j)

    A structure is a path through the grid; its score is minus its cost. Parts are three factors: ``substitute``
    ``(n, m)``, ``delete`` ``(n,)`` and ``insert`` ``(m,)``.

    Args:
        cost: Costs ``(*batch, n, m)`` of putting target symbol j for source symbol i (0 where they are equal, say);
            +inf forbids. n or m may be 0.
        insert: Cost of inserting each target symbol: a number, ``(m,)`` or ``(*batch, m)``.
        delete: Cost of deleting each source symbol: a number, ``(n,)`` or ``(*batch, n)``.
        lengths: How many source symbols each example has, ``batch``; all n by default.
        target_lengths: How many target symbols, likewise.

    Raises:
        ValueError, TypeError: wrong shapes or dtypes, NaN or -inf, lengths out of range.

    Differentiability: as :class:`DynamicProgram`.

    Cost: ``O(batch n m)``.

    References:
        R. Wagner, M. Fischer, *The String-to-String Correction Problem*, J. ACM 21(1), 1974.

    Example:
        >>> program = EditDistance(torch.tensor([[0.0, 1.0], [1.0, 1.0]]))  # "ab" and "ac"
        >>> program.distance().item(), round(program.distance(1.0).item(), 4)
        (1.0, 0.0538)
    """

    factor_names = ("substitute", "delete", "insert")

    def __init__(
        self,
        cost: torch.Tensor,
        insert: float | torch.Tensor = 1.0,
        delete: float | torch.Tensor = 1.0,
        lengths: torch.Tensor | None = None,
        target_lengths: torch.Tensor | None = None,
    ):
        check_floating("EditDistance(cost)", cost)
        match = -checked_costs("EditDistance", "cost", cost, 2)
        *batch, n, m = match.shape
        shape = torch.Size(batch)
        gaps = [_gap(name, x, match, shape, size) for name, x, size in (("delete", delete, n), ("insert", insert, m))]
        rows = check_lengths("EditDistance(lengths)", lengths, shape, n, match.device, 0)
        columns = check_lengths("EditDistance(target_lengths)", target_lengths, shape, m, match.device, 0)
        factors = (flatten_batch(match, 2), *gaps)
        super().__init__(factors, shape, rows * (m + 1) + columns)

    @classmethod
    def from_sequences(
        cls,
        source: torch.Tensor,
        target: torch.Tensor,
        insert: float = 1.0,
        delete: float = 1.0,
        substitute: float = 1.0,
        lengths: torch.Tensor | None = None,
        target_lengths: torch.Tensor | None = None,
    ) -> "EditDistance":
        """Build the program of integer sequences ``(*batch, n)`` and ``(*batch, m)``, in float64."""
        source, target, _ = _sequences("EditDistance.from_sequences", source, target)
        different = source.unsqueeze(-1) != target.unsqueeze(-2)
        return cls(different.double() * substitute, insert, delete, lengths, target_lengths)

    def distance(self, temperature: float | torch.Tensor | None = None) -> torch.Tensor:
        r"""Return the cost of the cheapest edit script, or the smooth minimum over all at a temperature.

        .. math:: -\tau \log \sum_y e^{-c(y) / \tau}

        Differentiability: piecewise linear without a temperature, any order with one.
        """
        return -(self.max() if temperature is None else self.log_partition(temperature))

    @staticmethod
    def inside(semiring: Semiring, *factors: torch.Tensor, **options: Any) -> torch.Tensor:
        """Fill the grid; an example of any lengths finds its value in it."""
        match, delete, insert = factors
        rows, columns = match.shape[1] + 1, match.shape[2] + 1
        event = match.shape[3:]
        match = pad(semiring, pad(semiring, match, 1, before=1), 2, before=1)
        down = pad(semiring, delete, 1, before=1).unsqueeze(2).expand(-1, -1, columns, *event)
        right = pad(semiring, insert, 1, before=1).unsqueeze(1).expand(-1, rows, -1, *event)

        def cell(above, left, corner, match, down, right):
            ways = (semiring.times(corner[0], match), semiring.times(above[0], down), semiring.times(left[0], right))
            return (semiring.plus(torch.stack(ways, 2), 2),)

        start = (semiring.full(semiring.one, (match.shape[0],), match),)
        return wavefront(semiring, cell, start, match, down, right)[0].flatten(1, 2)


def edit_distance(
    source: torch.Tensor,
    target: torch.Tensor,
    insert: float = 1.0,
    delete: float = 1.0,
    substitute: float = 1.0,
    lengths: torch.Tensor | None = None,
    target_lengths: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the edit distance of integer sequences: Levenshtein's with the default weights.

    Args:
        source: Integers ``(*batch, n)``.
        target: Integers ``(*batch, m)``.
        insert, delete, substitute: Positive costs of turning ``source`` into ``target``. A substitution of at least
            ``insert + delete`` is never used (the *indel* distance).
        lengths, target_lengths: Integers ``batch``, 0 up to n or m, which is the default.

    Returns:
        float64 ``(*batch,)``.

    Raises:
        ValueError, TypeError: no integers, wrong shapes, lengths out of range, weights that are not positive.

    Differentiability: none; see :class:`EditDistance`.

    Cost: ``n m / 64`` word operations where all weights are equal, or a substitution costs as much as a deletion and
    an insertion, which cost the same; else ``O(n m)``.

    References:
        V. Levenshtein, Soviet Physics Doklady 10(8), 1966. G. Myers, J. ACM 46(3), 1999. H. Hyyro, 2003.

    Example:
        >>> kitten, sitting = (torch.tensor([ord(c) for c in word]) for word in ("kitten", "sitting"))
        >>> edit_distance(kitten, sitting).item()
        3.0
    """
    source, target, batch = _sequences("edit_distance", source, target)
    for name, weight in (("insert", insert), ("delete", delete), ("substitute", substitute)):
        check_positive(f"edit_distance({name})", weight)
    n, m = source.shape[-1], target.shape[-1]
    rows = check_lengths("edit_distance(lengths)", lengths, batch, n, source.device, 0)
    columns = check_lengths("edit_distance(target_lengths)", target_lengths, batch, m, source.device, 0)
    x, y = flatten_batch(source, 1).to(torch.int64), flatten_batch(target, 1).to(torch.int64)
    plain = values_visible(source, target, rows, columns) and not isinstance(insert, torch.Tensor)
    if plain and use_native("edit_distance", x.to(torch.float32)[:0]) and x.device.type == "cpu":
        out = torch.empty(len(x), dtype=torch.float64)
        weights = float(insert), float(delete), float(substitute)
        sizes = rows.contiguous(), columns.contiguous()
        native().edit_distance(x.contiguous(), y.contiguous(), *sizes, *weights, out, get_num_threads())
    else:
        out = EditDistance.from_sequences(x, y, insert, delete, substitute, rows, columns).distance()
    return unflatten_batch(out, batch)


def checked_costs(call: str, name: str, value: Any, event_dims: int) -> torch.Tensor:
    """Return costs: finite or +inf (forbidden)."""
    check_floating(f"{call}({name})", value)
    # One reduction in the common case: NaN and -inf both make `amin > -inf` false.
    if values_visible(value) and value.numel() and not bool(value.detach().amin() > -math.inf):
        bad = "NaN" if bool(value.detach().isnan().any()) else "-inf"
        reject(f"{call}({name})", "must hold finite costs or +inf (forbidden)", bad)
    require(value.ndim >= event_dims, f"{call}({name})", f"must have at least {event_dims} dimensions", value)
    return value.to(torch.promote_types(value.dtype, torch.float32))


def _gap(name: str, value: Any, match: torch.Tensor, batch: torch.Size, size: int) -> torch.Tensor:
    call = f"EditDistance({name})"
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        require(math.isfinite(value), call, "must be finite", value)
        return match.new_full((math.prod(batch), size), -float(value))
    cost = checked_costs("EditDistance", name, value, 0)
    check_same_kind(call, cost, match, "cost")
    if cost.ndim == 0:
        cost = cost.expand(size)
    require(cost.shape[-1] == size, call, f"must have {size} entries in its last dimension", value)
    return -per_example(call, cost, batch, 1)


def _sequences(call: str, source: Any, target: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Size]:
    for name, value in (("source", source), ("target", target)):
        if not isinstance(value, torch.Tensor):
            reject_type(f"{call}({name})", "must be an integer tensor", value, "Convert it with torch.as_tensor(...).")
        if value.dtype.is_floating_point or value.dtype.is_complex or value.dtype == torch.bool:
            reject_type(f"{call}({name})", "must be an integer tensor", value)
        require(value.ndim >= 1, f"{call}({name})", "must have shape (*batch, symbols)", value)
    if source.shape[:-1] != target.shape[:-1]:
        reject(f"{call}(target)", f"must have the batch shape {tuple(source.shape[:-1])} of source", target)
    return source, target, source.shape[:-1]
