"""Programs of every construct, each with arguments to try; the oracle is the program itself in plain Python."""

from tests.relax.suite import control, arrays, calls  # noqa: F401, I001 - in this order the programs are tried
from tests.relax.suite.registry import PROGRAMS

__all__ = ["PROGRAMS"]
