"""Dynamic programs over structures, behind one interface.

``LinearChain`` holds the factors of a chain; its methods are the algorithms. ``viterbi`` is the solver, ``CRF`` the
layer with learned transitions. ``DynamicProgram`` is what all others share: give it a recursion, and it has the best
structure, the sum over all, marginals, samples, and the k best.
"""

from algonets.dp.alignment import NeedlemanWunsch, SmithWaterman
from algonets.dp.barycenter import soft_dtw_barycenter
from algonets.dp.crf import CRF
from algonets.dp.ctc import CTC
from algonets.dp.dependency import ProjectiveDependency
from algonets.dp.edit_distance import EditDistance, edit_distance
from algonets.dp.hmm import HMM
from algonets.dp.lattice import Lattice
from algonets.dp.linear_chain import LinearChain
from algonets.dp.prefix_beam import prefix_beam_search
from algonets.dp.program import DynamicProgram
from algonets.dp.second_order_chain import SecondOrderChain
from algonets.dp.semi_markov import SemiMarkov
from algonets.dp.soft_dtw import SoftDTW, soft_dtw_divergence
from algonets.dp.spanning_tree import SpanningTreeDependency
from algonets.dp.tree import CKY, PCFG
from algonets.dp.viterbi import viterbi

__all__ = [
    "CKY",
    "CRF",
    "CTC",
    "HMM",
    "PCFG",
    "DynamicProgram",
    "EditDistance",
    "Lattice",
    "LinearChain",
    "NeedlemanWunsch",
    "ProjectiveDependency",
    "SecondOrderChain",
    "SemiMarkov",
    "SmithWaterman",
    "SoftDTW",
    "SpanningTreeDependency",
    "edit_distance",
    "prefix_beam_search",
    "soft_dtw_barycenter",
    "soft_dtw_divergence",
    "viterbi",
]
