"""Equations as layers: fixed points, roots and minimisers, solved by any solver, differentiated in any way.

A layer here is defined by what its output satisfies, not by how it is computed. Three choices are independent:

- **what is solved**: :func:`fixed_point`, :func:`root`, :func:`argmin` (unconstrained, projected, constrained),
  :func:`least_squares`, :func:`quadratic_program`, or a solver from elsewhere by :func:`implicit`;
- **by which solver**: ``solver=Anderson()``, ...;
- **how it is differentiated**: ``backward=Implicit(adjoint=...)``, ``Unroll()``, ``Checkpoint(every)``,
  ``Truncated(k)`` or ``OneStep()``.

=================== ============================ ======================= ===========================================
backward            gradient                     memory                  when
=================== ============================ ======================= ===========================================
Implicit            exact at the solution        of two steps            the default
Unroll              exact for the iterates       of every iteration      few iterations, or stopped early on purpose
Checkpoint(every)   as Unroll                    of some iterations      many iterations
Truncated(k)        misses about rho^k of it     of k steps              fast contraction
OneStep             misses about rho of it       of one step             Newton-like steps; when speed is all
=================== ============================ ======================= ===========================================

(``rho`` is the rate at which the step contracts, see :func:`contraction_rate`.)

Everything takes and returns pytrees of tensors ``(*batch, *event)``, one example in the last ``event_dims``
dimensions. Examples converge one by one: a result never depends on the rest of its batch, and an example that fails
does not spoil it. Parameters get their gradients wherever the equations find them: arguments, closures, modules.
"""

from algonets.implicit.anderson import Anderson
from algonets.implicit.argmin import argmin
from algonets.implicit.backward import Checkpoint, Implicit, OneStep, Truncated, Unroll
from algonets.implicit.broyden import Broyden
from algonets.implicit.contraction import contraction_rate
from algonets.implicit.dense import Dense
from algonets.implicit.deq import DEQ
from algonets.implicit.external import implicit
from algonets.implicit.fixed_point import fixed_point
from algonets.implicit.gmres import GMRES
from algonets.implicit.lbfgs import LBFGS
from algonets.implicit.least_squares import GaussNewton, LevenbergMarquardt, least_squares
from algonets.implicit.newton import Newton
from algonets.implicit.normal_cg import NormalCG
from algonets.implicit.picard import Picard
from algonets.implicit.projected_gradient import ProjectedGradient
from algonets.implicit.quadratic_program import quadratic_program
from algonets.implicit.root import root
from algonets.implicit.solution import BiasWarning, ConvergenceError, ConvergenceWarning, Solution
from algonets.implicit.unroll import unroll
from algonets.projections import project_ball, project_box, project_simplex

__all__ = [
    "DEQ",
    "GMRES",
    "LBFGS",
    "Anderson",
    "BiasWarning",
    "Broyden",
    "Checkpoint",
    "ConvergenceError",
    "ConvergenceWarning",
    "Dense",
    "GaussNewton",
    "Implicit",
    "LevenbergMarquardt",
    "Newton",
    "NormalCG",
    "OneStep",
    "Picard",
    "ProjectedGradient",
    "Solution",
    "Truncated",
    "Unroll",
    "argmin",
    "contraction_rate",
    "fixed_point",
    "implicit",
    "least_squares",
    "project_ball",
    "project_box",
    "project_simplex",
    "quadratic_program",
    "root",
    "unroll",
]
