"""Perona-Malik diffusion: blur within regions, not across edges."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn

from algonets._core.checks import check_at_least, check_positive
from algonets._core.errors import reject_type
from algonets._core.shapes import broadcast_batch
from algonets.equations._planes import Border, check_border, check_image, check_plane, check_rate, neighbours

__all__ = ["AbstractConductance", "ExponentialConductance", "PeronaMalik", "RationalConductance", "perona_malik"]

_BOUND = 0.25
_REASON = "A conductance is at most 1, so that up to 4 rate u flows out of a pixel; it must not give more than it has."


@dataclass(frozen=True)
class AbstractConductance(ABC):
    """How freely heat flows across a difference of grey values: 1 at 0, towards 0 at an edge.

    Args:
        contrast: The difference that counts as an edge, ``> 0``, in units of the image.
    """

    contrast: float

    def __post_init__(self) -> None:
        check_positive(f"{type(self).__name__}(contrast)", self.contrast)

    @abstractmethod
    def __call__(self, difference: Tensor) -> Tensor:
        """Return the conductance in (0, 1]."""


@final
@dataclass(frozen=True)
class ExponentialConductance(AbstractConductance):
    r"""Conductance that favours strong edges over weak ones: :math:`g(d) = \exp(-d^2 / K^2)`.

    Args:
        contrast: K, the difference that counts as an edge, ``> 0``.

    Raises:
        ValueError: ``contrast`` is not positive.

    Differentiability: any order.
    Cost: one exponential a value.
    References: P. Perona, J. Malik, Scale-Space and Edge Detection Using Anisotropic Diffusion, PAMI 12, 1990.

    Example:
        >>> ExponentialConductance(0.1)(torch.tensor([0.0, 0.1]))
        tensor([1.0000, 0.3679])
    """

    def __call__(self, difference: Tensor) -> Tensor:
        """Return the conductance."""
        return torch.exp(-((difference / self.contrast) ** 2))


@final
@dataclass(frozen=True)
class RationalConductance(AbstractConductance):
    r"""Conductance that favours wide regions over small ones: :math:`g(d) = 1 / (1 + d^2 / K^2)`.

    Args:
        contrast: K, the difference that counts as an edge, ``> 0``.

    Raises:
        ValueError: ``contrast`` is not positive.

    Differentiability: any order.
    Cost: one division a value.
    References: P. Perona, J. Malik, Scale-Space and Edge Detection Using Anisotropic Diffusion, PAMI 12, 1990.

    Example:
        >>> RationalConductance(0.1)(torch.tensor([0.0, 0.1]))
        tensor([1.0000, 0.5000])
    """

    def __call__(self, difference: Tensor) -> Tensor:
        """Return the conductance."""
        return 1 / (1 + (difference / self.contrast) ** 2)


def perona_malik(
    u: Any,
    conductance: AbstractConductance,
    rate: float | Tensor = 0.2,
    iterations: int = 1,
    *,
    guide: Any = None,
    border: Border = "replicate",
) -> Tensor:
    r"""Diffuse a plane within its regions by explicit steps of Perona and Malik.

    .. math:: u \leftarrow u + \tau \sum_{n \in \{N, S, W, E\}} g(D_n v) \, D_n u, \qquad D_n u = u_n - u

    with ``v = u``, or an image that guides where u may flow.

    Args:
        u: ``(*batch, H, W)``, finite.
        conductance: g, :class:`ExponentialConductance` or :class:`RationalConductance`.
        rate: tau, in ``(0, 1/4]``: a number, or a tensor that broadcasts to ``u``.
        iterations: Steps, ``>= 0``.
        guide: v, ``(*batch, H, W)``; its edges stop the flow at each iteration. By default those of ``u`` itself.
        border: As of :func:`heat`; beyond it the guide goes on in the same way.

    Returns:
        ``(*batch, H, W)``. Mean and range are kept as by :func:`heat`.

    Raises:
        TypeError: ``u``, ``guide`` or ``rate`` is no floating tensor (number); no conductance.
        ValueError: no pixel, NaN or infinity, a rate beyond the bound, negative iterations, shapes that do not fit.

    Differentiability: any order, to ``u``, ``guide`` and ``rate``.
    Cost: O(H W) an iteration; memory of every iteration while gradients are recorded.
    References: P. Perona, J. Malik, Scale-Space and Edge Detection Using Anisotropic Diffusion, PAMI 12, 1990, eq. 7.

    Example:
        >>> step = torch.tensor([[0.0, 0.1, 5.0, 5.1]])
        >>> perona_malik(step, ExponentialConductance(0.5), 0.25, iterations=200).round(decimals=3)
        tensor([[0.0500, 0.0500, 5.0500, 5.0500]])
    """
    u = check_plane("perona_malik(u)", u)
    if not isinstance(conductance, AbstractConductance):
        reject_type("perona_malik(conductance)", "must be an AbstractConductance", conductance)
    rate = check_rate("perona_malik(rate)", rate, _BOUND, _REASON)
    check_border("perona_malik", border)
    flow = None
    if guide is not None:
        guide = check_image("perona_malik(guide)", guide, u, "u", 2)
        guide = broadcast_batch("perona_malik(guide)", guide, u.shape[:-2], 2)
        flow = [conductance(d) for d in neighbours(guide, border)]
    for _ in range(check_at_least("perona_malik(iterations)", iterations, 0)):
        inflow = torch.zeros_like(u)
        for i, d in enumerate(neighbours(u, border)):
            inflow = inflow + (conductance(d) if flow is None else flow[i]) * d
        u = u + rate * inflow
    return u


@final
class PeronaMalik(nn.Module):
    r"""Perona-Malik diffusion as a layer, see :func:`perona_malik`.

    .. math:: u \leftarrow u + \tau \sum_n g(D_n v) \, D_n u

    Args:
        conductance: As of :func:`perona_malik`.
        rate: As of :func:`perona_malik`; checked here.
        iterations: As of :func:`perona_malik`.
        border: As of :func:`heat`.

    Raises:
        TypeError: As :func:`perona_malik`.
        ValueError: As :func:`perona_malik`.

    Differentiability: any order.
    Cost: as of :func:`perona_malik`.
    References: P. Perona, J. Malik, Scale-Space and Edge Detection Using Anisotropic Diffusion, PAMI 12, 1990.

    Example:
        >>> PeronaMalik(RationalConductance(0.1), rate=0.3)
        Traceback (most recent call last):
        ...
        ValueError: PeronaMalik(rate) must be positive and at most the stability bound 0.25, got 0.3. ...
    """

    def __init__(
        self,
        conductance: AbstractConductance,
        rate: float = 0.2,
        iterations: int = 10,
        border: Border = "replicate",
    ):
        super().__init__()
        if not isinstance(conductance, AbstractConductance):
            reject_type("PeronaMalik(conductance)", "must be an AbstractConductance", conductance)
        self.conductance = conductance
        self.rate = check_rate("PeronaMalik(rate)", rate, _BOUND, _REASON)
        self.iterations = check_at_least("PeronaMalik(iterations)", iterations, 0)
        check_border("PeronaMalik", border)
        self.border: Border = border

    def forward(self, u: Tensor, guide: Tensor | None = None) -> Tensor:
        """Diffuse ``(*batch, H, W)``, along the edges of a guide if given."""
        return perona_malik(u, self.conductance, self.rate, self.iterations, guide=guide, border=self.border)

    def extra_repr(self) -> str:
        """Show the settings."""
        return f"{self.conductance}, rate={self.rate}, iterations={self.iterations}, border={self.border!r}"
