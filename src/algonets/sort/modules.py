"""The operations as modules."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from algonets.sort import functions, quantiles
from algonets.sort.catalogue import check_method
from algonets.sort.hard import Hard
from algonets.sort.method import SortMethod

__all__ = ["Argsort", "Max", "Median", "Min", "Quantile", "Rank", "Sort", "SortWith", "TopK"]


class _Operation(nn.Module):
    """Holds a method and options; learnable scales of the method are parameters of the module."""

    _operation: str

    def __init__(self, method: SortMethod, **options: Any):
        super().__init__()
        check_method(self._operation, method)
        self.method = method
        self._options = options
        for name, parameter in method.parameters():
            self.register_parameter(name, parameter)

    def extra_repr(self) -> str:
        """Show what rebuilds it."""
        return ", ".join([f"method={self.method!r}", *(f"{key}={value!r}" for key, value in self._options.items())])


class Sort(_Operation):
    """:func:`soft_sort` as a module.

    Args:
        method: how to relax; a scale that is a ``torch.nn.Parameter`` is learnt.
        dim: as in the function.
        descending: as in the function.
        hard: as in the function.

    Shape: ``forward(x, weights=None, mask=None)`` gives the shape of ``x``.

    Example:
        >>> from algonets.sort import NeuralSort
        >>> Sort(NeuralSort(0.01), descending=True)(torch.tensor([3.0, 1.0, 2.0]))
        tensor([3., 2., 1.])
    """

    _operation = "soft_sort"

    def __init__(self, method: SortMethod, *, dim: int = -1, descending: bool = False, hard: bool = False):
        super().__init__(method, dim=dim, descending=descending, hard=hard)

    def forward(self, x: Tensor, weights: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Sorted values."""
        return functions.soft_sort(x, self.method, weights=weights, mask=mask, **self._options)


class Argsort(_Operation):
    """:func:`soft_argsort` as a module.

    Args:
        method: as in :class:`Sort`.
        dim: as in the function.
        descending: as in the function.
        hard: as in the function.

    Shape: ``forward(x, weights=None, mask=None)`` gives ``(*batch, n, n)``.

    Example:
        >>> from algonets.sort import NeuralSort
        >>> Argsort(NeuralSort(0.01))(torch.tensor([3.0, 1.0])).round()
        tensor([[0., 1.],
                [1., 0.]])
    """

    _operation = "soft_argsort"

    def __init__(self, method: SortMethod, *, dim: int = -1, descending: bool = False, hard: bool = False):
        super().__init__(method, dim=dim, descending=descending, hard=hard)

    def forward(self, x: Tensor, weights: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """``P[rank, item]``."""
        return functions.soft_argsort(x, self.method, weights=weights, mask=mask, **self._options)


class Rank(_Operation):
    """:func:`soft_rank` as a module.

    Args:
        method: as in :class:`Sort`.
        dim: as in the function.
        descending: as in the function.
        hard: as in the function.

    Shape: ``forward(x, mask=None)`` gives the shape of ``x``.

    Example:
        >>> from algonets.sort import NeuralSort
        >>> Rank(NeuralSort(0.01))(torch.tensor([3.0, 1.0, 2.0]))
        tensor([3., 1., 2.])
    """

    _operation = "soft_rank"

    def __init__(self, method: SortMethod, *, dim: int = -1, descending: bool = False, hard: bool = False):
        super().__init__(method, dim=dim, descending=descending, hard=hard)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """1-based ranks."""
        return functions.soft_rank(x, self.method, mask=mask, **self._options)


class TopK(_Operation):
    """:func:`soft_topk` as a module; without a method, the exact solver ``theta -> y`` for ``algonets.gradients``.

    Args:
        k: as in the function.
        method: as in :class:`Sort`; by default the exact top-k.
        dim: as in the function.
        largest: as in the function.
        output: as in the function, but ``"mask"`` by default.
        hard: as in the function.

    Shape: ``forward(x, mask=None)`` gives what ``output`` says.

    Example:
        >>> TopK(2)(torch.tensor([3.0, 1.0, 2.0]))
        tensor([1., 0., 1.])
    """

    def __init__(
        self,
        k: int | float | Tensor,
        method: SortMethod | None = None,
        *,
        dim: int = -1,
        largest: bool = True,
        output: Literal["values", "mask", "indices"] = "mask",
        hard: bool = False,
    ):
        self._operation = f"soft_topk(output={output!r})"
        super().__init__(method or Hard(), dim=dim, largest=largest, output=output, hard=hard)
        self.k = k

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """What ``output`` says."""
        return functions.soft_topk(x, self.k, self.method, mask=mask, **self._options)

    def extra_repr(self) -> str:
        """Show what rebuilds it."""
        return f"k={self.k}, {super().extra_repr()}"


class Quantile(_Operation):
    """:func:`soft_quantile` as a module.

    Args:
        q: as in the function.
        method: as in :class:`Sort`.
        dim: as in the function.
        hard: as in the function.

    Shape: ``forward(x, weights=None, mask=None)`` gives the shape of ``x`` without ``dim``; ``(Q, ...)`` for many.

    Example:
        >>> from algonets.sort import NeuralSort
        >>> Quantile(0.5, NeuralSort(0.01))(torch.tensor([3.0, 1.0, 2.0]))
        tensor(2.)
    """

    _operation = "soft_quantile"

    def __init__(self, q: float | Tensor, method: SortMethod, *, dim: int = -1, hard: bool = False):
        super().__init__(method, dim=dim, hard=hard)
        if isinstance(q, torch.Tensor):
            self.register_buffer("q", q)
        else:
            self.q = q

    def forward(self, x: Tensor, weights: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Quantiles."""
        return quantiles.soft_quantile(x, self.q, self.method, weights=weights, mask=mask, **self._options)

    def extra_repr(self) -> str:
        """Show what rebuilds it."""
        return f"q={self.q}, {super().extra_repr()}"


class Median(_Operation):
    """:func:`soft_median` as a module.

    Args:
        method: as in :class:`Sort`.
        dim: as in the function.
        hard: as in the function.

    Shape: ``forward(x, weights=None, mask=None)`` gives the shape of ``x`` without ``dim``.

    Example:
        >>> from algonets.sort import NeuralSort
        >>> Median(NeuralSort(0.01))(torch.tensor([3.0, 1.0, 2.0]))
        tensor(2.)
    """

    _operation = "soft_median"

    def __init__(self, method: SortMethod, *, dim: int = -1, hard: bool = False):
        super().__init__(method, dim=dim, hard=hard)

    def forward(self, x: Tensor, weights: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Medians."""
        return quantiles.soft_median(x, self.method, weights=weights, mask=mask, **self._options)


class Min(_Operation):
    """:func:`soft_min` as a module.

    Args:
        method: as in :class:`Sort`.
        dim: as in the function.
        hard: as in the function.

    Shape: ``forward(x, mask=None)`` gives the shape of ``x`` without ``dim``.

    Example:
        >>> from algonets.sort import NeuralSort
        >>> Min(NeuralSort(0.01))(torch.tensor([3.0, 1.0, 2.0]))
        tensor(1.)
    """

    _operation = "soft_min"

    def __init__(self, method: SortMethod, *, dim: int = -1, hard: bool = False):
        super().__init__(method, dim=dim, hard=hard)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Minima."""
        return quantiles.soft_min(x, self.method, mask=mask, **self._options)


class Max(_Operation):
    """:func:`soft_max` as a module.

    Args:
        method: as in :class:`Sort`.
        dim: as in the function.
        hard: as in the function.

    Shape: ``forward(x, mask=None)`` gives the shape of ``x`` without ``dim``.

    Example:
        >>> from algonets.sort import NeuralSort
        >>> Max(NeuralSort(0.01))(torch.tensor([3.0, 1.0, 2.0]))
        tensor(3.)
    """

    _operation = "soft_max"

    def __init__(self, method: SortMethod, *, dim: int = -1, hard: bool = False):
        super().__init__(method, dim=dim, hard=hard)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Maxima."""
        return quantiles.soft_max(x, self.method, mask=mask, **self._options)


class SortWith(_Operation):
    """:func:`sort_with` as a module.

    Args:
        method: as in :class:`Sort`.
        dim: as in the function.
        descending: as in the function.
        hard: as in the function.

    Shape: ``forward(keys, payload, mask=None)`` gives both in their shapes.

    Example:
        >>> from algonets.sort import NeuralSort
        >>> SortWith(NeuralSort(0.01))(torch.tensor([3.0, 1.0]), torch.tensor([30.0, 10.0]))[1]
        tensor([10., 30.])
    """

    _operation = "sort_with"

    def __init__(self, method: SortMethod, *, dim: int = -1, descending: bool = False, hard: bool = False):
        super().__init__(method, dim=dim, descending=descending, hard=hard)

    def forward(self, keys: Tensor, payload: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Sorted keys and payload."""
        return functions.sort_with(keys, payload, self.method, mask=mask, **self._options)
