"""Closed-form projections onto convex sets, with their exact Jacobians.

=========================== =================================== ======================================================
set                         function                            Jacobian
=========================== =================================== ======================================================
simplex                     :func:`project_simplex`             on the support, minus its mean
box                         :func:`project_box`                 1 inside, 0 at a bound
Euclidean ball              :func:`project_ball`                outside, minus the radial part, shortened
1-norm ball                 :func:`project_l1_ball`             on the support, minus its signed mean
permutahedron               :func:`project_permutahedron`       within blocks, minus their means
Birkhoff's polytope         :func:`sinkhorn`, by KL divergence  minus what rows and columns take, one linear system
simplex, other entropies    :func:`sparsemax`, :func:`entmax`   weighted by ``y^(2 - alpha)``, minus the weighted mean
=========================== =================================== ======================================================
"""

from algonets.projections.ball import project_ball
from algonets.projections.birkhoff import sinkhorn
from algonets.projections.box import project_box
from algonets.projections.entmax import entmax, sparsemax
from algonets.projections.l1_ball import project_l1_ball
from algonets.projections.permutahedron import project_permutahedron
from algonets.projections.simplex import project_simplex

__all__ = [
    "entmax",
    "project_ball",
    "project_box",
    "project_l1_ball",
    "project_permutahedron",
    "project_simplex",
    "sinkhorn",
    "sparsemax",
]
