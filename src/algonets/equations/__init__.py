"""Networks that are equations: recurrent layers whose step integrates a partial differential equation.

Classical equations with their stability bounds checked, :func:`heat`, :func:`perona_malik` and
:func:`geodesic_active_contours` (:class:`Heat`, :class:`PeronaMalik` and :class:`GeodesicActiveContours` as layers);
:class:`PDERefiner`, an equation with learnt stencils of which those are special cases, unrolled or run to its
equilibrium; and :class:`MeanField`, the inference of a conditional random field on a grid or over all pairs of pixels.

Everything works on planes ``(*batch, H, W)`` or stacks of them ``(*batch, channels, H, W)`` of any size. A pixel is
the unit of length, an iteration times its rate that of time. Borders are replicated (nothing flows across) unless
told otherwise.
"""

from algonets.equations.active_contours import GeodesicActiveContours, edge_map, geodesic_active_contours
from algonets.equations.heat import Heat, heat
from algonets.equations.kernels import AbstractKernel, DenseKernel, GridKernel
from algonets.equations.mean_field import MeanField
from algonets.equations.perona_malik import (
    AbstractConductance,
    ExponentialConductance,
    PeronaMalik,
    RationalConductance,
    perona_malik,
)
from algonets.equations.reaction import AbstractReaction, GatedMLP
from algonets.equations.refiner import PDERefiner

__all__ = [
    "AbstractConductance",
    "AbstractKernel",
    "AbstractReaction",
    "DenseKernel",
    "ExponentialConductance",
    "GatedMLP",
    "GeodesicActiveContours",
    "GridKernel",
    "Heat",
    "MeanField",
    "PDERefiner",
    "PeronaMalik",
    "RationalConductance",
    "edge_map",
    "geodesic_active_contours",
    "heat",
    "perona_malik",
]
