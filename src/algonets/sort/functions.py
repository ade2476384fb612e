"""The operations: soft sort, argsort, rank, top-k; one contract for every method (quantiles are beside them)."""

from typing import Literal

import torch
from torch import Tensor

from algonets._core.checks import check_at_least, check_floating
from algonets._core.errors import require
from algonets.sort.catalogue import check_method
from algonets.sort.layout import Items, Rows
from algonets.sort.method import SortMethod
from algonets.sort.straight_through import sorted_values, straight_through
from algonets.sort.weighted import equal_shares_matrix

__all__ = [
    "by_item",
    "soft_argsort",
    "soft_rank",
    "soft_sort",
    "soft_topk",
    "sort_with",
]


def soft_sort(
    x: Tensor,
    method: SortMethod,
    *,
    dim: int = -1,
    descending: bool = False,
    weights: Tensor | None = None,
    mask: Tensor | None = None,
    hard: bool = False,
) -> Tensor:
    """Sort values softly.

    ``y = P(x) x`` with the relaxed permutation matrix of the method (a projection has its own formula); as its scale
    goes to 0, ``y`` becomes ``torch.sort(x).values``.

    With ``weights``, ``y_i`` is the average of the sorted items over the ``i``-th of ``n`` equal shares of the whole
    weight: equal weights change nothing, a weight of 0 removes an item, and only ratios of weights matter.

    Args:
        x: floating tensor with ``n >= 1`` items along ``dim``, finite where not masked; half types are computed in
            float32.
        method: how to relax, for example ``Bitonic(Cauchy(0.1))``; its scale is in the units of ``x``.
        dim: the dimension to sort along.
        descending: largest first.
        weights: not negative, broadcast to the shape of ``x``; ``None`` for equal ones.
        mask: boolean, broadcast to the shape of ``x``, True for the items that count. The result for them is as if
            the others were not there; they fill the first places, zeros the rest.
        hard: return the exact sort, with the gradient of the soft one (straight-through).

    Returns:
        Tensor of the shape and dtype of ``x``.

    Raises:
        TypeError: if ``x`` is not floating, ``mask`` not boolean, or ``method`` no method.
        ValueError: if ``x`` holds NaN or infinities, if the method does not sort values, or shapes do not fit.

    Differentiability: that of the method (its ``properties``), in ``x`` and its scale; piecewise in ``weights``.
    Cost: that of the method; rows with a mask are grouped by their number of items.

    Example:
        >>> from algonets.sort import NeuralSort
        >>> soft_sort(torch.tensor([3.0, 1.0, 2.0]), NeuralSort(0.5))
        tensor([1.1198, 2.0000, 2.8802])
    """
    check_method("soft_sort", method)
    items = Items("soft_sort", x, dim, mask, weights)

    def compute(rows: Rows) -> Tensor:
        return straight_through(hard, method, lambda m: sorted_values(m, rows, descending))

    return items.to_x(items.run(compute, "rank"))


def soft_argsort(
    x: Tensor,
    method: SortMethod,
    *,
    dim: int = -1,
    descending: bool = False,
    weights: Tensor | None = None,
    mask: Tensor | None = None,
    hard: bool = False,
) -> Tensor:
    """Relax the permutation matrix: ``P[rank, item]`` is how much ``item`` belongs to ``rank``.

    ``soft_sort(x) = P @ x``. The other convention, one row an item, is :func:`by_item`.

    Args:
        x: as in :func:`soft_sort`.
        method: as in :func:`soft_sort`.
        dim: the dimension to sort along.
        descending: the first row is that of the largest item.
        weights: as in :func:`soft_sort`.
        mask: as in :func:`soft_sort`; rows and columns beyond the counted items are zero.
        hard: one-hot rows, with the gradient of the soft ones.

    Returns:
        ``(*batch, n, n)`` in the dtype of ``x``, ``batch`` being the shape of ``x`` without ``dim``: ranks, then
        items.

    Raises:
        TypeError: as :func:`soft_sort`.
        ValueError: as :func:`soft_sort`, and if the method has no matrix.

    Differentiability: that of the method.
    Cost: O(n^2) memory; time of the method.

    Example:
        >>> from algonets.sort import NeuralSort
        >>> soft_argsort(torch.tensor([3.0, 1.0, 2.0]), NeuralSort(0.1)).argmax(-1)
        tensor([1, 2, 0])
    """
    check_method("soft_argsort", method)
    items = Items("soft_argsort", x, dim, mask, weights)

    def compute(rows: Rows) -> Tensor:
        return straight_through(hard, method, lambda m: _matrix(m, rows, descending))

    return items.to_matrix(items.run(compute, "matrix"))


def by_item(matrix: Tensor) -> Tensor:
    """Turn ``P[rank, item]`` into the other convention of the literature, ``P[item, rank]``.

    Args:
        matrix: ``(*batch, ranks, items)``.

    Returns:
        ``(*batch, items, ranks)``, a view.

    Raises:
        TypeError: if ``matrix`` is not a floating tensor.
        ValueError: if it has fewer than two dimensions.

    Differentiability: linear.
    Cost: O(1).

    Example:
        >>> by_item(torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))[0]  # where item 0 goes
        tensor([0., 0., 1.])
    """
    check_floating("by_item(matrix)", matrix)
    require(matrix.ndim >= 2, "by_item(matrix)", "must have at least two dimensions", matrix)
    return matrix.mT


def soft_rank(
    x: Tensor,
    method: SortMethod,
    *,
    dim: int = -1,
    descending: bool = False,
    mask: Tensor | None = None,
    hard: bool = False,
) -> Tensor:
    """Rank softly, from 1.

    ``r = P^T (1, ..., n)`` for the doubly stochastic methods; a projection has its own formula. As the scale goes to
    0 it becomes the place of each item in the sorted order; equal items share the average of their places.

    Args:
        x: as in :func:`soft_sort`.
        method: as in :func:`soft_sort`.
        dim: the dimension to rank along.
        descending: the largest item gets rank 1.
        mask: as in :func:`soft_sort`; masked items get rank 0.
        hard: the places in the stable sorted order, with the gradient of the soft ranks.

    Returns:
        Tensor of the shape and dtype of ``x``, about 1 to ``n``.

    Raises:
        TypeError: as :func:`soft_sort`.
        ValueError: as :func:`soft_sort`.

    Differentiability: that of the method.
    Cost: that of the method.

    Example:
        >>> from algonets.sort import NeuralSort
        >>> soft_rank(torch.tensor([3.0, 1.0, 2.0]), NeuralSort(0.01))
        tensor([3., 1., 2.])
    """
    check_method("soft_rank", method)
    items = Items("soft_rank", x, dim, mask)

    def compute(rows: Rows) -> Tensor:
        return straight_through(hard, method, lambda m: m.rank(rows.x, descending))

    return items.to_x(items.run(compute, "item"))


def soft_topk(
    x: Tensor,
    k: int | float | Tensor,
    method: SortMethod,
    *,
    dim: int = -1,
    largest: bool = True,
    output: Literal["values", "mask", "indices"] = "values",
    mask: Tensor | None = None,
    hard: bool = False,
) -> Tensor:
    """Choose the ``k`` largest or smallest items softly.

    Args:
        x: as in :func:`soft_sort`.
        k: how many. For ``output="mask"`` any real number from 0 to ``n``, or a tensor of the batch shape, which may
            need a gradient; else an integer from 1 to ``n``.
        method: as in :func:`soft_sort`.
        dim: the dimension to choose along.
        largest: the largest items, or the smallest.
        output: ``"values"``: the chosen items in order, ``dim`` having the size ``k``. ``"mask"``: membership in
            [0, 1], shape of ``x``, which sums to about ``k``. ``"indices"``: the soft one-hot index of each chosen
            item, ``(*batch, k, n)``: the first ``k`` rows of :func:`soft_argsort`.
        mask: as in :func:`soft_sort`; masked items are never chosen.
        hard: the exact choice, with the gradient of the soft one.

    Returns:
        As ``output`` says, in the dtype of ``x``.

    Raises:
        TypeError: as :func:`soft_sort`.
        ValueError: as :func:`soft_sort`, and if ``k`` or ``output`` is out of range.

    Differentiability: that of the method.
    Cost: that of the method; for networks ``"indices"`` costs O(L k) with L comparators, not O(L n).

    Example:
        >>> from algonets.sort import NeuralSort
        >>> soft_topk(torch.tensor([3.0, 1.0, 2.0]), 1.5, NeuralSort(0.5), output="mask")
        tensor([0.9338, 0.0535, 0.5127])
    """
    require(output in ("values", "mask", "indices"), "soft_topk(output)", "must be values, mask or indices", output)
    check_method(f"soft_topk(output={output!r})", method)
    if output == "mask":
        items = Items("soft_topk", x, dim, mask, k=k)

        def members(rows: Rows) -> Tensor:
            return straight_through(hard, method, lambda m: m.mask(rows.x, rows.k, largest))

        return items.to_x(items.run(members, "item"))
    count = check_at_least(f"soft_topk(k) with output={output!r}", k, 1)
    items = Items("soft_topk", x, dim, mask, k=count)

    def chosen(rows: Rows) -> Tensor:
        if output == "indices":
            return straight_through(hard, method, lambda m: m.rows(rows.x, count, largest))
        return straight_through(hard, method, lambda m: m.sort(rows.x, largest)[:, :count])

    result = items.run(chosen, "rows" if output == "indices" else "row")
    return items.to_matrix(result) if output == "indices" else items.to_some(result)


def sort_with(
    keys: Tensor,
    payload: Tensor,
    method: SortMethod,
    *,
    dim: int = -1,
    descending: bool = False,
    mask: Tensor | None = None,
    hard: bool = False,
) -> tuple[Tensor, Tensor]:
    """Sort a payload by keys: ``(P(keys) keys, P(keys) payload)``.

    Args:
        keys: as ``x`` in :func:`soft_sort`.
        payload: the shape of ``keys`` and then any more dimensions, dtype of ``keys``; linear in it.
        method: as in :func:`soft_sort`.
        dim: the dimension to sort along.
        descending: largest key first.
        mask: as in :func:`soft_sort`.
        hard: the exact sort, with the gradients of the soft one.

    Returns:
        Sorted keys and payload, in the shapes given.

    Raises:
        TypeError: as :func:`soft_sort`.
        ValueError: as :func:`soft_sort`, and if the payload does not fit.

    Differentiability: that of the method in the keys, linear in the payload.
    Cost: for networks O(L d) with L comparators and ``d`` numbers an item, without the matrix.

    Example:
        >>> from algonets.sort import NeuralSort
        >>> keys, names = torch.tensor([3.0, 1.0, 2.0]), torch.tensor([30.0, 10.0, 20.0])
        >>> sort_with(keys, names, NeuralSort(0.01))[1]
        tensor([10., 20., 30.])
    """
    check_method("sort_with", method)
    items = Items("sort_with", keys, dim, mask, payload=payload, name="keys")

    def together(m: SortMethod, rows: Rows) -> Tensor:
        values, moved = m.apply(rows.x, rows.payload, descending)
        return torch.cat([values.unsqueeze(-1), moved], -1)

    def compute(rows: Rows) -> Tensor:
        return straight_through(hard, method, lambda m: together(m, rows))

    both = items.run(compute, "payload")
    return items.to_x(both[..., 0]), items.to_payload(both[..., 1:])


# ---- shared steps --------------------------------------------------------------------------------------------


def _matrix(method: SortMethod, rows: Rows, descending: bool) -> Tensor:
    matrix = method.matrix(rows.x, descending)
    if rows.weights is None:
        return matrix
    return equal_shares_matrix((matrix @ rows.weights.unsqueeze(-1)).squeeze(-1)) @ matrix
