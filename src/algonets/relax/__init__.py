"""Any Python function becomes a differentiable layer: every comparison is a probability, branches are averaged.

``algonets.relax`` itself is the decorator; the names of this package are its attributes too, so that
``algonets.relax.scale`` works beside ``@algonets.relax``.
"""

import sys
import types
from typing import Any

from algonets.relax.builtin_calls import argmax, argmin
from algonets.relax.categorical import equal
from algonets.relax.decorator import Relaxed, relax
from algonets.relax.errors import RelaxSyntaxError, ResidualMassWarning, UnreachedPathsError
from algonets.relax.report import Decision, Report
from algonets.relax.scaling import scale

__all__ = [
    "Decision",
    "RelaxSyntaxError",
    "Relaxed",
    "Report",
    "ResidualMassWarning",
    "UnreachedPathsError",
    "argmax",
    "argmin",
    "equal",
    "relax",
    "scale",
]


class _CallableModule(types.ModuleType):
    """The package is the decorator as well, for whoever gets hold of it by way of ``sys.modules``."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return relax(*args, **options)


sys.modules[__name__].__class__ = _CallableModule
