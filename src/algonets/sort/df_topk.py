"""DFTopK: a soft top-k mask from one threshold, without sorting."""

from typing import final

import torch
from torch import Tensor

from algonets._core.checks import values_visible
from algonets.sort.method import Properties, SortMethod, scalar_scale

__all__ = ["DFTopK"]


@final
class DFTopK(SortMethod):
    """DFTopK: a sigmoid around the middle between the last item chosen and the first one left out.

    ``m_i = sigmoid((x_i - (x_[k] + x_[k+1]) / 2) / temperature)``, ``x_[k]`` the ``k``-th largest item. The mask does
    not sum to ``k`` exactly: that was given up for the closed form. ``k = 0`` gives zeros and ``k = n`` ones; a real
    ``k`` mixes the masks of its two neighbours, ``(1 - f) m(floor k) + f m(floor k + 1)``, in which it is
    differentiable from the right (the paper has whole ``k`` only).

    Args:
        temperature: positive float, or a positive tensor of one element that may need a gradient; in the units of
            ``x``.

    Raises:
        TypeError: if ``temperature`` is neither a number nor a floating tensor.
        ValueError: if it is not positive and finite, or not a single value.

    Differentiability: any order, but for ties at the threshold, where it is taken from other items.
    Cost: O(n + k log k) time, O(n) memory (a full sort under ``vmap`` and ``torch.compile``).
    References: Zhu, Zhang, Wang et al. 2025, Differentiable Fast Top-K Selection for Large-Scale Recommendation.

    Example:
        >>> from algonets.sort import soft_topk
        >>> soft_topk(torch.tensor([3.0, 1.0, 2.0]), 2, DFTopK(0.1), output="mask")
        tensor([1.0000, 0.0067, 0.9933])
    """

    abilities = frozenset({"mask"})
    properties = Properties(
        False, False, False, False, False, "any order, kinks at ties", "O(n + k log k), O(n) memory"
    )

    def __init__(self, temperature: float | Tensor = 1.0):
        self.temperature = scalar_scale("DFTopK(temperature)", temperature)

    def _mask(self, x: Tensor, k: Tensor) -> Tensor:
        n = x.shape[1]
        floor = k.detach().floor()
        fraction = (k - floor).unsqueeze(-1)
        whole = floor.to(torch.int64).unsqueeze(-1)
        deepest = min(int(whole.max()) + 2, n) if values_visible(k) and k.numel() else n
        largest = x.topk(deepest, dim=-1).values

        def members(count: Tensor) -> Tensor:
            last, first = (count - 1).clamp(0, deepest - 1), count.clamp(0, deepest - 1)
            threshold = 0.5 * (largest.gather(1, last) + largest.gather(1, first))
            soft = torch.sigmoid((x - threshold) / self.temperature)
            return torch.where((count > 0) & (count < n), soft, (count >= n).to(x.dtype))

        return members(whole) + fraction * (members(whole + 1) - members(whole))
