"""Dynamic programs over structures, behind one interface.

``LinearChain`` holds the factors of a chain; its methods are the algorithms. ``viterbi`` is the solver, ``CRF`` the
layer with learned transitions.
"""

from algonets.dp.crf import CRF
from algonets.dp.linear_chain import LinearChain, viterbi

__all__ = ["CRF", "LinearChain", "viterbi"]
