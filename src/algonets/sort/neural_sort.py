"""NeuralSort: a unimodal relaxation of the permutation matrix by one softmax a rank."""

from typing import final

import torch
from torch import Tensor

from algonets.sort.method import Properties, SortMethod, scalar_scale

__all__ = ["NeuralSort"]


@final
class NeuralSort(SortMethod):
    """NeuralSort: each rank is a softmax over the items, scored so that the right item wins.

    ``P[i, :] = softmax(((n + 1 - 2 r) x - A 1) / temperature)``, ``A_jk = |x_j - x_k|``, where ``r = n + 1 - i`` is
    the descending rank of row ``i = 1..n``. Ranks are ``P^T (1..n)`` with the columns normalised.

    Args:
        temperature: positive float, or a positive tensor of one element that may need a gradient; in the units of
            ``x``. The scores grow with ``n``, so that more items need a higher temperature.

    Raises:
        TypeError: if ``temperature`` is neither a number nor a floating tensor.
        ValueError: if it is not positive and finite, or not a single value.

    Differentiability: any order, but for ties, where ``|x_j - x_k|`` has a kink.
    Cost: O(n^2) time and memory.
    References: Grover, Wang, Zweig, Ermon 2019, Stochastic Optimization of Sorting Networks via Continuous
    Relaxations, eq. 5.

    Example:
        >>> from algonets.sort import soft_sort
        >>> soft_sort(torch.tensor([3.0, 1.0, 2.0]), NeuralSort(0.01))
        tensor([1., 2., 3.])
    """

    abilities = frozenset({"sort", "matrix", "rank", "mask", "payload"})
    properties = Properties(True, False, False, False, False, "any order, kinks at ties", "O(n^2)")

    def __init__(self, temperature: float | Tensor = 1.0):
        self.temperature = scalar_scale("NeuralSort(temperature)", temperature)

    def _matrix(self, x: Tensor) -> Tensor:
        n = x.shape[1]
        spread = (x.unsqueeze(-1) - x.unsqueeze(-2)).abs().sum(-1)
        factor = torch.arange(1 - n, n, 2, dtype=x.dtype, device=x.device)  # n + 1 - 2 r, the largest item last
        return torch.softmax((factor[:, None] * x.unsqueeze(-2) - spread.unsqueeze(-2)) / self.temperature, -1)

    def _rank(self, x: Tensor) -> Tensor:
        matrix = self._matrix(x)
        ranks = torch.arange(1, x.shape[1] + 1, dtype=x.dtype, device=x.device)
        return (matrix.mT @ ranks) / matrix.sum(-2)
