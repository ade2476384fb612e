"""The unroll way through a linear chain: iterations of belief propagation and of mean field as layers."""

import math

import torch

from algonets._core.checks import check_at_least, values_visible
from algonets._core.errors import reject
from algonets.dp import _chain_reference as reference
from algonets.dp import _chain_unrolled as unrolled
from algonets.dp._chain_base import Chain

__all__ = ["UnrolledBeliefs"]


class UnrolledBeliefs(Chain):
    """Beliefs after some iterations, with gradients through every one."""

    def messages(self, iterations: int | None = None) -> torch.Tensor:
        r"""Return beliefs after unrolled belief propagation, gradients through every step: the *unroll* way.

        All messages of both directions are updated at once,

        .. math:: f_{t+1}(j) = \log \sum_i e^{f_t(i) + u_t(i) + A_{ij}}, \qquad
                  b_t(i) = \log \sum_j e^{A_{ij} + u_{t+1}(j) + b_{t+1}(j)},

        so that k iterations see k neighbours on each side, as a recurrent layer would.

        Args:
            iterations: How many updates; 0 is the softmax of the unary scores alone. ``None`` runs the two
                sequential sweeps, whose beliefs are the exact marginals, as are those of ``T - 1`` iterations.

        Returns:
            Beliefs ``(*batch, T, S)``, each a distribution; zero beyond the length. Without iterations to
            carry a contradiction everywhere, an infeasible chain has zero rows where it is seen.

        Differentiability: any order, by autograd through the iterations.

        Cost: ``O(batch T S^2)`` time an iteration. Memory ``O(batch T S)`` where the range of the transitions allows
        matrix products (below 60 in float32, 600 in float64, nothing forbidden), else ``O(batch T S^2)``.

        References:
            J. Pearl, *Probabilistic Reasoning in Intelligent Systems*, 1988.
            A. Osokin, *How to put algorithms into neural networks*, 2019 (unrolled iterations).
        """
        f = self._factors
        if iterations is None:
            return self._unflatten(reference.marginals(f)[0])
        iterations = check_at_least("LinearChain.messages(iterations)", iterations, 0)
        return self._unflatten(unrolled.messages(f, iterations))

    def mean_field(self, iterations: int = 10) -> torch.Tensor:
        r"""Return the beliefs of an unrolled mean-field approximation :math:`q(y) = \prod_t q_t(y_t)`.

        .. math:: q_t(i) \propto \exp\Big(u_t(i) + \sum_j q_{t-1}(j) A_{ji} + \sum_j A_{ij} q_{t+1}(j)\Big)

        An iteration updates the even positions, then the odd ones: coordinate ascent, so that the evidence lower
        bound never falls and nothing oscillates (the parallel update of CRF-as-RNN may).

        Args:
            iterations: How many sweeps; 0 is the softmax of the unary scores.

        Returns:
            Beliefs ``(*batch, T, S)``; zero beyond the length.

        Raises:
            ValueError: for transitions of -inf, which no factorised distribution can respect.

        Differentiability: any order, by autograd through the iterations.

        Cost: ``O(batch T S^2)`` time, ``O(batch T S)`` memory an iteration.

        References:
            S. Zheng et al., *Conditional Random Fields as Recurrent Neural Networks*, ICCV 2015.
            P. Kraehenbuehl, V. Koltun, *Efficient Inference in Fully Connected CRFs*, NeurIPS 2011.
        """
        iterations = check_at_least("LinearChain.mean_field(iterations)", iterations, 0)
        f = self._factors
        if values_visible(f.transition) and bool((f.transition.detach() == -math.inf).any()):
            reject("LinearChain.mean_field()", "needs finite transitions", "-inf", "Use messages() instead.")
        return self._unflatten(unrolled.mean_field(f, iterations))
