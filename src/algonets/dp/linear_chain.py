"""The linear chain (Markov chain, linear-chain CRF): one algorithm, three ways into a network."""

import math
from typing import final

import torch

from algonets._core.backend import use_native
from algonets._core.checks import check_at_least
from algonets._core.errors import reject_type
from algonets._core.numerics import masked_sum, product_or_zero
from algonets.dp import _chain_native as kernels
from algonets.dp import _chain_reference as reference
from algonets.dp._chain_beliefs import UnrolledBeliefs
from algonets.dp._chain_factors import ChainFactors
from algonets.semirings import Boolean, Counting, Semiring

__all__ = ["LinearChain"]


@final
class LinearChain(UnrolledBeliefs):
    r"""All label sequences of a chain, scored by unary and transition factors.

    .. math:: s(y) = \text{start}_{y_1} + \sum_{t=1}^{T} u_{t, y_t} + \sum_{t=1}^{T-1} A^{(t)}_{y_t, y_{t+1}}
              + \text{end}_{y_T}, \qquad p(y) = e^{s(y)} / Z

    The object holds the factors; each method is one algorithm on them. The three ways into a network:
    **pool** (:meth:`max`, gradient to the selected scores), **unroll** (:meth:`messages`, :meth:`mean_field`,
    gradient through the iterations), **analytic** (:meth:`log_partition`, :meth:`marginals`, whose gradients are
    marginals in closed form).

    Args:
        unary: Scores ``u`` (log-potentials, any real, -inf forbids), shape ``(*batch, T, S)``.
        transition: Scores from label i to label j, ``(S, S)`` shared, ``(*batch, S, S)`` or
            ``(*batch, T - 1, S, S)``; leading dimensions of size 1 are shared by the batch.
        start: Scores of the first label, ``(S,)`` or ``(*batch, S)``; none by default.
        end: Scores of the last label, likewise.
        lengths: Integers in ``1 .. T``, shape ``batch``; all ``T`` by default. What lies beyond is ignored.

    Raises:
        ValueError: wrong shapes; NaN or +inf scores; lengths outside ``1 .. T``.
        TypeError: integer tensors where scores belong, or mixed dtypes.

    The object keeps its arguments as they are: do not change them in place while you use it.

    Differentiability: stated by each method; wherever a second derivative is promised it is right on both
    backends. Half types are computed, and returned, in float32.

    Cost: ``O(batch T S^2)`` time. The native kernels need memory linear in ``T S`` and choose per sequence
    between scaled float32, scaled float64 and exact log space, so that nothing underflows.

    References:
        J. Lafferty, A. McCallum, F. Pereira, *Conditional Random Fields*, ICML 2001.
        L. Rabiner, *A Tutorial on Hidden Markov Models*, Proceedings of the IEEE 77(2), 1989.

    Example:
        >>> chain = LinearChain(torch.tensor([[0.0, 1.0], [2.0, 0.0]]), torch.zeros(2, 2))
        >>> chain.argmax().tolist(), chain.max().item()
        ([1, 0], 3.0)
        >>> chain.count().item()
        4.0
    """

    # ---- pool: the best sequence ---------------------------------------------------------------------------

    def argmax(self) -> torch.Tensor:
        """Return the best label sequence (Viterbi).

        Returns:
            int64 labels ``(*batch, T)``; -1 beyond the length, and everywhere where no sequence is allowed.
            Ties: the lowest last label, then backwards the lowest label that leads to it.

        Differentiability: none (integers); see :meth:`max`.

        Cost: ``O(batch T S^2)`` time; no back-pointers are kept.

        References:
            A. Viterbi, IEEE Transactions on Information Theory 13(2), 1967.
        """
        return self._unflatten(self._argmax())

    def max(self) -> torch.Tensor:
        r"""Return the score of the best label sequence, :math:`\max_y s(y)`: the *pool* way.

        Returns:
            ``(*batch,)``; -inf (with a zero gradient) where no sequence is allowed.

        Differentiability: piecewise linear; the gradient is the 0/1 indicator of :meth:`argmax` (Danskin).

        References:
            J. Danskin, *The Theory of Max-Min*, 1967. A. Osokin, *How to put algorithms into neural networks*, 2019.
        """
        labels = self._argmax()
        return self._unflatten(self._score(labels.clamp_min(0), labels[:, 0] >= 0))

    def topk(self, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the ``k`` best label sequences.

        Args:
            k: How many, at least 1.

        Returns:
            Scores ``(*batch, k)`` in descending order, -inf where there are fewer sequences, and int64 labels
            ``(*batch, k, T)``, -1 there and beyond the length.

        Differentiability: scores piecewise linear, as :meth:`max`.

        Cost: ``O(batch T S^2 k)`` time, ``O(batch T S k)`` memory.
        """
        k = check_at_least("LinearChain.topk(k)", k, 1)
        labels = reference.topk(self._factors, k)
        scores = torch.stack([self._score(path.clamp_min(0), path[:, 0] >= 0) for path in labels.unbind(1)], 1)
        return self._unflatten(scores), self._unflatten(labels)

    # ---- analytic: sums over all sequences ----------------------------------------------------------------

    def log_partition(self, temperature: float | torch.Tensor = 1.0) -> torch.Tensor:
        r"""Return the smooth maximum :math:`\tau \log \sum_y e^{s(y) / \tau}`, at 1 the log-partition.

        Args:
            temperature: :math:`\tau > 0`; towards 0 the result tends to :meth:`max`.

        Returns:
            ``(*batch,)``; -inf, with a zero gradient, where no sequence is allowed.

        Differentiability: any order. The first derivative (the marginals) comes from the hand-written
        forward-backward kernel; higher ones differentiate the plain-torch recursion.

        Cost: one matrix product of ``S x S`` a step; backward three. Nothing is kept between the two; the backward
        pass needs ``O(T S)`` scratch a thread, and ``O(batch T S^2)`` for transitions shared by the batch but not by
        the steps.
        """
        scale = self._temperature("LinearChain.log_partition", temperature)
        factors = self._tempered(scale)
        if use_native("LinearChain.log_partition", *factors[:4]):
            value = kernels.log_partition(*factors)
        else:
            value = reference.log_partition(factors)
        return self._unflatten(value if isinstance(scale, float) and scale == 1 else value * scale)

    def marginals(self, temperature: float | torch.Tensor = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
        r"""Return the marginals :math:`P(y_t = i)` and :math:`P(y_t = i, y_{t+1} = j)`.

        Args:
            temperature: :math:`\tau > 0` as in :meth:`log_partition`.

        Returns:
            ``(*batch, T, S)`` and ``(*batch, T - 1, S, S)`` probabilities; zero beyond the length, and where no
            sequence is allowed.

        Differentiability: any order (the derivative differentiates the plain-torch recursion).

        Cost: ``O(batch T S^2)`` time and memory for the pairwise part.
        """
        factors = self._tempered(self._temperature("LinearChain.marginals", temperature))
        nodes, pairs = self._marginals(factors)
        return self._unflatten(nodes), self._unflatten(pairs)

    def entropy(self) -> torch.Tensor:
        r"""Return the Shannon entropy :math:`-\sum_y p(y) \log p(y)` in nats, ``(*batch,)``.

        Computed in float64, as a difference of large numbers. Zero where no sequence is allowed.
        Differentiability: any order.
        """
        return self.cross_entropy(self).clamp_min(0)

    def cross_entropy(self, other: "LinearChain") -> torch.Tensor:
        r"""Return :math:`-\sum_y p(y) \log q(y)` in nats for ``self`` = p and ``other`` = q, ``(*batch,)``.

        +inf where q forbids what p allows. Computed in float64. Differentiability: any order, with respect to both.

        Raises:
            ValueError: unless both chains have the same batch shape, steps, states and lengths.
        """
        self._require_alike("LinearChain.cross_entropy(other)", other)
        dtype = self._factors.unary.dtype
        q = other._factors.double()
        nodes, pairs = self._marginals(self._factors.double())
        inside = q.inside()
        expected = masked_sum(product_or_zero(nodes, q.scores()), inside.unsqueeze(-1), (1, 2))
        if pairs.shape[1]:
            weighted = product_or_zero(pairs, q.transition.expand_as(pairs))
            expected = expected + masked_sum(weighted, inside[:, 1:, None, None], (1, 2, 3))
        possible = (nodes[:, 0].detach() > 0).any(1)
        total = self._from_factors(q, other.batch_shape).log_partition().reshape(-1)
        result = torch.where(total == -math.inf, torch.full_like(total, math.inf), total) - expected
        return self._unflatten(torch.where(possible, result, torch.zeros_like(result)).to(dtype))

    def kl(self, other: "LinearChain") -> torch.Tensor:
        r"""Return the Kullback-Leibler divergence :math:`\sum_y p(y) \log (p(y) / q(y))` in nats, ``(*batch,)``.

        Non-negative up to rounding. Raises and differentiability as :meth:`cross_entropy`.
        """
        p, q = (self._from_factors(c._factors.double(), c.batch_shape) for c in (self, other))
        return (p.cross_entropy(q) - p.cross_entropy(p)).to(self._factors.unary.dtype)

    def sample(self, n: int = 1, generator: torch.Generator | None = None) -> torch.Tensor:
        """Draw label sequences from :math:`p(y)`, exactly (forward filter, backward sample).

        Args:
            n: How many, at least 1.
            generator: Source of randomness; the same draws on both backends.

        Returns:
            int64 ``(n, *batch, T)``; -1 beyond the length, and where no sequence is allowed.

        Differentiability: none; for gradients use :meth:`marginals`.

        Cost: ``O(batch T S (S + n))`` time.
        """
        n = check_at_least("LinearChain.sample(n)", n, 1)
        if generator is not None and not isinstance(generator, torch.Generator):
            reject_type("LinearChain.sample(generator)", "must be a torch.Generator or None", generator)
        f = self._factors
        shape = (n, f.unary.shape[0], f.unary.shape[1])
        uniforms = torch.rand(shape, generator=generator, dtype=torch.float64, device=f.unary.device)
        labels = (
            kernels.sample(*f, uniforms) if use_native("LinearChain.sample", *f[:4]) else reference.sample(f, uniforms)
        )
        return self._unflatten(labels, 1)

    # ---- one given sequence -------------------------------------------------------------------------------

    def log_prob(self, labels: torch.Tensor) -> torch.Tensor:
        r"""Return :math:`\log p(y) = s(y) - \log Z`, ``(*batch,)``.

        -inf for forbidden labels and where no sequence is allowed; at most 0 up to the rounding of log Z in the dtype
        of the scores. Arguments and errors as :meth:`score`.
        Differentiability: any order.
        """
        total = self.log_partition()
        total = torch.where(total == -math.inf, torch.zeros_like(total), total)
        return self.score(labels) - total

    # ---- any semiring -------------------------------------------------------------------------------------

    def reduce(self, semiring: Semiring) -> torch.Tensor:
        """Run the chain's recursion in any semiring of ``algonets.semirings`` (or your own).

        Args:
            semiring: For example ``KMax(5)`` for the five best scores, ``SparseMax()`` for sparse marginals.

        Returns:
            ``(*batch, *event)``: what the semiring's ``lower`` gives.

        Differentiability: that of the semiring.

        Cost: ``O(batch T S^2)`` semiring operations, in plain torch on any device.

        Example:
            >>> from algonets.semirings import KMax
            >>> LinearChain(torch.tensor([[0.0, 1.0], [2.0, 0.0]]), torch.zeros(2, 2)).reduce(KMax(2))
            tensor([3., 2.])
        """
        if not isinstance(semiring, Semiring):
            reject_type("LinearChain.reduce(semiring)", "must be a Semiring", semiring, "See algonets.semirings.")
        return self._unflatten(reference.reduce(self._factors, semiring))

    def count(self) -> torch.Tensor:
        """Return how many label sequences are allowed, float64 ``(*batch,)``: exact up to 2^53, inf above 1.8e308."""
        return self.reduce(Counting())

    def feasible(self) -> torch.Tensor:
        """Return whether any label sequence is allowed, bool ``(*batch,)``."""
        return self.reduce(Boolean())

    # ---- private -------------------------------------------------------------------------------------------

    def _argmax(self) -> torch.Tensor:
        f = self._factors
        return kernels.viterbi(*f) if use_native("LinearChain.argmax", *f[:4]) else reference.viterbi(f)

    def _marginals(self, factors: ChainFactors) -> tuple[torch.Tensor, torch.Tensor]:
        if use_native("LinearChain.marginals", *factors[:4]):
            return kernels.gradient(*factors, torch.ones_like(factors.unary[:, 0, 0]), True)
        return reference.marginals(factors)
