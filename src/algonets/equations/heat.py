"""The heat equation: blur, as a recurrent network with one stencil."""

from typing import Any, final

from torch import Tensor, nn

from algonets._core.checks import check_at_least
from algonets.equations._planes import Border, check_border, check_plane, check_rate, neighbours

__all__ = ["Heat", "heat"]

_BOUND = 0.25
_REASON = "The five-point Laplacian has eigenvalues down to -8, so rates above 2/8 let the finest ripples grow."


def heat(u: Any, rate: float | Tensor = 0.2, iterations: int = 1, *, border: Border = "replicate") -> Tensor:
    r"""Diffuse a plane by explicit steps of the heat equation.

    .. math:: u \leftarrow u + \tau \, \Delta_5 u, \qquad \Delta_5 u = \sum_{n \in \{N, S, W, E\}} (u_n - u)

    Args:
        u: ``(*batch, H, W)``, finite, any H and W of at least 1.
        rate: tau, in ``(0, 1/4]`` pixels squared an iteration: a number, or a tensor that broadcasts to ``u``.
        iterations: Steps, ``>= 0``.
        border: Beyond the edge: ``"replicate"`` (no heat flows out: the mean stays), ``"zeros"`` (kept at 0) or
            ``"circular"`` (a torus; the mean stays).

    Returns:
        ``(*batch, H, W)``. No value leaves the range of ``u`` (of ``u`` and 0 for ``"zeros"``).

    Raises:
        TypeError: ``u`` or ``rate`` is no floating tensor (number).
        ValueError: no pixel, NaN or infinity, a rate beyond the bound, negative iterations, an unknown border.

    Differentiability: any order, to ``u`` (linear) and to ``rate``.
    Cost: O(H W) an iteration; memory of every iteration while gradients are recorded.
    References: J. J. Koenderink, The Structure of Images, Biological Cybernetics 50, 1984.

    Example:
        >>> import torch
        >>> heat(torch.tensor([[0.0, 0.0, 4.0, 0.0, 0.0]]), 0.25)
        tensor([[0., 1., 2., 1., 0.]])
    """
    u = check_plane("heat(u)", u)
    rate = check_rate("heat(rate)", rate, _BOUND, _REASON)
    check_border("heat", border)
    for _ in range(check_at_least("heat(iterations)", iterations, 0)):
        above, below, left, right = neighbours(u, border)
        u = u + rate * (above + below + left + right)
    return u


@final
class Heat(nn.Module):
    r"""The heat equation as a layer, see :func:`heat`.

    .. math:: u \leftarrow u + \tau \, \Delta_5 u

    Args:
        rate: As of :func:`heat`; checked here.
        iterations: As of :func:`heat`.
        border: As of :func:`heat`.

    Raises:
        TypeError: As :func:`heat`.
        ValueError: As :func:`heat`.

    Differentiability: any order.
    Cost: as of :func:`heat`.
    References: J. J. Koenderink, The Structure of Images, Biological Cybernetics 50, 1984.

    Example:
        >>> import torch
        >>> Heat(0.25, iterations=50)(torch.tensor([[0.0, 1.0]]))
        tensor([[0.5000, 0.5000]])
    """

    def __init__(self, rate: float = 0.2, iterations: int = 10, border: Border = "replicate"):
        super().__init__()
        self.rate = check_rate("Heat(rate)", rate, _BOUND, _REASON)
        self.iterations = check_at_least("Heat(iterations)", iterations, 0)
        check_border("Heat", border)
        self.border: Border = border

    def forward(self, u: Tensor) -> Tensor:
        """Diffuse ``(*batch, H, W)``."""
        return heat(u, self.rate, self.iterations, border=self.border)

    def extra_repr(self) -> str:
        """Show the settings."""
        return f"rate={self.rate}, iterations={self.iterations}, border={self.border!r}"
