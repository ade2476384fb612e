"""Geodesic active contours: a curve that shrinks until it meets edges, as the zero level of a plane."""

import math
from typing import Any, final

import torch
from torch import Tensor, nn

from algonets._core.checks import check_at_least, check_positive, values_visible
from algonets._core.errors import reject, reject_type
from algonets._core.shapes import broadcast_batch
from algonets.equations._planes import Border, central, check_border, check_image, check_plane, check_rate, extend

__all__ = ["GeodesicActiveContours", "edge_map", "geodesic_active_contours"]

_SMOOTHING = 1e-6  # keeps the direction of the gradient defined where a plane is flat


def edge_map(image: Any, contrast: float = 0.1) -> Tensor:
    r"""Return where contours may pass: 1 in flat regions, towards 0 on the edges of an image.

    .. math:: g = \frac{1}{1 + |\nabla I|^2 / K^2}

    Args:
        image: ``(*batch, channels, H, W)``, finite; smooth it before with :func:`heat` if it is noisy.
        contrast: K, the slope (grey values a pixel) at which g falls to one half, ``> 0``.

    Returns:
        ``(*batch, H, W)`` in (0, 1]. The slopes of all channels are added up.

    Raises:
        TypeError: ``image`` is no floating tensor.
        ValueError: no pixel, NaN or infinity, a contrast that is not positive.

    Differentiability: any order.
    Cost: O(channels H W).
    References: V. Caselles, R. Kimmel, G. Sapiro, Geodesic Active Contours, IJCV 22, 1997.

    Example:
        >>> edge_map(torch.tensor([[[0.0, 0.0, 1.0, 1.0]]]), 0.5)
        tensor([[1.0000, 0.5000, 0.5000, 1.0000]])
    """
    image = check_plane("edge_map(image)", image, 3)
    check_positive("edge_map(contrast)", contrast)
    along_width, along_height = central(image, "replicate")
    return 1 / (1 + (along_width**2 + along_height**2).sum(-3) / contrast**2)


def geodesic_active_contours(
    u: Any,
    edges: Any,
    rate: float | Tensor = 0.2,
    iterations: int = 1,
    *,
    balloon: float = 0.0,
    border: Border = "replicate",
) -> Tensor:
    r"""Move the level lines of a plane towards the edges of an image.

    .. math:: u \leftarrow u + \tau \left( g \, |\nabla u| \, \kappa + \nabla g \cdot \nabla u + c \, g \, |\nabla u|
        \right), \qquad \kappa = \operatorname{div} \frac{\nabla u}{|\nabla u|}

    Level lines shorten (curvature, central differences), slide down into the valleys of g (upwind differences), and
    are blown up or let off (balloon, upwind differences). The region is where ``u > 0``: ``balloon > 0`` grows it.

    Args:
        u: ``(*batch, H, W)``, finite; for example a signed distance, or scores of a segmentation.
        edges: g, ``(*batch, H, W)`` in [0, 1], see :func:`edge_map`.
        rate: tau, in ``(0, 1 / (3 + 2 |balloon|)]``: a number, or a tensor that broadcasts to ``u``.
        iterations: Steps, ``>= 0``.
        balloon: c, pixels a unit of time.
        border: As of :func:`heat`.

    Returns:
        ``(*batch, H, W)``. Where g is 0 around a pixel, it stays. A constant added to u is added to the result.

    Raises:
        TypeError: ``u``, ``edges`` or ``rate`` is no floating tensor (number).
        ValueError: no pixel, NaN or infinity, edges outside [0, 1], a rate beyond the bound, negative iterations,
            shapes that do not fit.

    The bound is that of the linearised scheme: curvature takes up to ``2 g`` of a pixel, ``grad g`` up to 1 (its
    central differences are at most 1/2), the balloon up to ``2 |c| g``. It is not a maximum principle: the mixed
    derivative may overshoot a little. Upwind differences flatten u in the long run, so that after thousands of
    iterations contours leak through weak edges: take as many iterations as the way to the edge needs.

    Differentiability: twice, where no difference of neighbours changes its sign.
    Cost: O(H W) an iteration; memory of every iteration while gradients are recorded.
    References: V. Caselles, R. Kimmel, G. Sapiro, Geodesic Active Contours, IJCV 22, 1997, eq. 18-20.
        S. Osher, J. A. Sethian, Fronts Propagating with Curvature-Dependent Speed, JCP 79, 1988 (upwind scheme).

    Example:
        >>> y, x = torch.meshgrid(torch.arange(-8.0, 9), torch.arange(-8.0, 9), indexing="ij")
        >>> disc = 6 - (x**2 + y**2).sqrt()
        >>> shrunk = geodesic_active_contours(disc, torch.ones_like(disc), 0.25, iterations=40)
        >>> (disc > 0).sum().item(), (shrunk > 0).sum().item()  # area falls by 2 pi a unit of time: 113 - 63
        (109, 45)
    """
    u = check_plane("geodesic_active_contours(u)", u)
    edges = _checked_edges(edges, u)
    check_border("geodesic_active_contours", border)
    rate = _check_rate("geodesic_active_contours", rate, balloon)
    slope_x, slope_y = central(edges, border)
    for _ in range(check_at_least("geodesic_active_contours(iterations)", iterations, 0)):
        p = extend(u, 1, border)
        above, below, left, right = (
            side - u for side in (p[..., :-2, 1:-1], p[..., 2:, 1:-1], p[..., 1:-1, :-2], p[..., 1:-1, 2:])
        )
        x, y = (right - left) / 2, (below - above) / 2
        mixed = (p[..., 2:, 2:] - p[..., 2:, :-2] - p[..., :-2, 2:] + p[..., :-2, :-2]) / 4
        bend = (right + left) * y**2 - 2 * x * y * mixed + (above + below) * x**2
        change = edges * bend / (x**2 + y**2 + _SMOOTHING)
        change = change + slope_x.relu() * right + (-slope_x).relu() * left
        change = change + slope_y.relu() * below + (-slope_y).relu() * above
        if balloon:
            sign = math.copysign(1.0, balloon)
            steep = sum(((sign * d).relu() ** 2 for d in (above, below, left, right)), torch.zeros_like(u))
            change = change + balloon * edges * ((steep + _SMOOTHING).sqrt() - math.sqrt(_SMOOTHING))
        u = u + rate * change
    return u


@final
class GeodesicActiveContours(nn.Module):
    r"""Geodesic active contours as a layer, see :func:`geodesic_active_contours`.

    .. math:: u \leftarrow u + \tau ( g |\nabla u| \kappa + \nabla g \cdot \nabla u + c g |\nabla u| )

    Args:
        rate: As of :func:`geodesic_active_contours`; checked here.
        iterations: As of :func:`geodesic_active_contours`.
        balloon: As of :func:`geodesic_active_contours`.
        border: As of :func:`heat`.

    Raises:
        TypeError: As :func:`geodesic_active_contours`.
        ValueError: As :func:`geodesic_active_contours`.

    Differentiability: twice, where no difference of neighbours changes its sign.
    Cost: as of :func:`geodesic_active_contours`.
    References: V. Caselles, R. Kimmel, G. Sapiro, Geodesic Active Contours, IJCV 22, 1997.

    Example:
        >>> GeodesicActiveContours(rate=0.3, balloon=1.0)
        Traceback (most recent call last):
        ...
        ValueError: GeodesicActiveContours(rate) must be positive and at most the stability bound 0.2, got 0.3. ...
    """

    def __init__(self, rate: float = 0.2, iterations: int = 10, balloon: float = 0.0, border: Border = "replicate"):
        super().__init__()
        self.balloon = balloon
        self.rate = _check_rate("GeodesicActiveContours", rate, balloon)
        self.iterations = check_at_least("GeodesicActiveContours(iterations)", iterations, 0)
        check_border("GeodesicActiveContours", border)
        self.border: Border = border

    def forward(self, u: Tensor, edges: Tensor) -> Tensor:
        """Move the level lines of ``(*batch, H, W)``."""
        return geodesic_active_contours(u, edges, self.rate, self.iterations, balloon=self.balloon, border=self.border)

    def extra_repr(self) -> str:
        """Show the settings."""
        return f"rate={self.rate}, iterations={self.iterations}, balloon={self.balloon}, border={self.border!r}"


def _check_rate(name: str, rate: Any, balloon: Any) -> float | Tensor:
    if not isinstance(balloon, int | float) or isinstance(balloon, bool):
        reject_type(f"{name}(balloon)", "must be a number", balloon)
    if not math.isfinite(balloon):
        reject(f"{name}(balloon)", "must be finite", balloon)
    reason = "Curvature, edges and balloon together must not take more than a pixel has: rate (3 + 2 |balloon|) <= 1."
    return check_rate(f"{name}(rate)", rate, 1 / (3 + 2 * abs(balloon)), reason)


def _checked_edges(edges: Any, u: Tensor) -> Tensor:
    call = "geodesic_active_contours(edges)"
    edges = check_image(call, edges, u, "u", 2)
    if edges.numel() and values_visible(edges) and not bool(((edges.detach() >= 0) & (edges.detach() <= 1)).all()):
        reject(call, "must be in [0, 1]", float(edges.detach().flatten()[0]), "Make them with edge_map(image).")
    return broadcast_batch(call, edges, u.shape[:-2], 2)
