"""Equations as layers."""

from algonets.implicit.anderson import Anderson
from algonets.implicit.backward import Checkpoint, Implicit, OneStep, Truncated, Unroll
from algonets.implicit.broyden import Broyden
from algonets.implicit.contraction import contraction_rate
from algonets.implicit.dense import Dense
from algonets.implicit.fixed_point import fixed_point
from algonets.implicit.gmres import GMRES
from algonets.implicit.newton import Newton
from algonets.implicit.normal_cg import NormalCG
from algonets.implicit.picard import Picard
from algonets.implicit.root import root
from algonets.implicit.solution import BiasWarning, ConvergenceError, ConvergenceWarning, Solution
from algonets.implicit.unroll import unroll
