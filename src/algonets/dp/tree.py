"""Constituency trees: labelled brackets (CKY) and probabilistic context-free grammars."""

from typing import Any, final

import torch

from algonets._core.checks import check_same_kind
from algonets._core.errors import require
from algonets._core.shapes import flatten_batch
from algonets.dp import _cky_native as kernels
from algonets.dp._chain_factors import check_lengths
from algonets.dp._circuit_native import add_kernel
from algonets.dp._scan import chart_row, splits
from algonets.dp.program import DynamicProgram, checked_scores, per_example
from algonets.semirings import Semiring

__all__ = ["CKY", "PCFG"]


@final
class CKY(DynamicProgram):
    r"""All binary trees over n words, every span of which, words too, bears one of L labels.

    .. math:: s(y) = \sum_{(i, j, l) \in y} \theta_{i, j, l}

    Parts are 0/1 ``(n, n, L)``: entry [i, j, l] is the span of words i to j inclusive with label l.

    Args:
        scores: ``(*batch, n, n, L)``, read where i <= j; -inf forbids.
        lengths: Words of each example, ``batch``, from 1 to n, the default.

    Raises:
        ValueError, TypeError: wrong shapes or dtypes, NaN or +inf, lengths out of range.

    Differentiability: as :class:`DynamicProgram`.

    Cost: ``O(batch n^2 (n + L))``.

    References:
        J. Baker, *Trainable Grammars for Speech Recognition*, 1979. D. Younger, Information and Control 10(2), 1967.
        M. Stern, J. Andreas, D. Klein, *A Minimal Span-Based Neural Constituency Parser*, ACL 2017.

    Example:
        >>> CKY(torch.zeros(4, 4, 1)).count().item()  # the third Catalan number
        5.0
    """

    def __init__(self, scores: torch.Tensor, lengths: torch.Tensor | None = None):
        scores = checked_scores("CKY", "scores", scores, 3)
        *batch, n, also, labels = scores.shape
        require(n == also and n >= 1 and labels >= 1, "CKY(scores)", "must have shape (*batch, n, n, L)", scores)
        ends = check_lengths("CKY(lengths)", lengths, torch.Size(batch), n, scores.device)
        super().__init__((flatten_batch(scores, 3),), torch.Size(batch), ends - 1)

    @staticmethod
    def inside(semiring: Semiring, *factors: torch.Tensor, **options: Any) -> torch.Tensor:
        """Fill the chart by widths; the span from the first word on gives the value of every length."""
        (scores,) = factors
        chart = [semiring.plus(chart_row(scores, 0), 2)]
        for width in range(1, scores.shape[1]):
            own = semiring.plus(chart_row(scores, width), 2)
            left, right = splits(chart, chart[::-1], own.shape[1])
            chart.append(semiring.times(semiring.plus(semiring.times(left, right), 2), own))
        return torch.stack([row[:, 0] for row in chart], 1)

    def spans(self) -> list[list[tuple[int, int, int]]]:
        """Return the best tree of each example (batch flattened) as spans ``(first, last, label)``, both inclusive."""
        answer: list[list[tuple[int, int, int]]] = [[] for _ in range(len(self._factors[0]))]
        for b, i, j, label in flatten_batch(self._first(self.argmax()), 3).nonzero().tolist():
            answer[b].append((i, j, label))
        return answer


@final
class PCFG(DynamicProgram):
    r"""All derivations of n words by a grammar in Chomsky normal form.

    .. math:: s(y) = \text{root}_{A_0} + \sum_{A \to X Y \in y} \text{rule}_{AXY}
              + \sum_{P \to w_i \in y} \text{term}_{iP}

    Symbols 0 to NT - 1 are nonterminals, which cover two words or more; NT to NT + P - 1 are preterminals, which
    cover one. Parts are the factors ``terms`` ``(n, P)``, ``rules`` ``(NT, NT + P, NT + P)`` and ``roots`` ``(NT,)``.

    Args:
        terms: Scores ``(*batch, n, P)`` of each word under each preterminal.
        rules: Scores ``(NT, S, S)`` or ``(*batch, NT, S, S)`` with S = NT + P.
        roots: Scores ``(NT,)`` or ``(*batch, NT)``.
        lengths: Words of each example, ``batch``, from 1 to n, the default; of one word there is no derivation.

    Raises:
        ValueError, TypeError: wrong shapes or dtypes, NaN or +inf, lengths out of range.

    Differentiability: as :class:`DynamicProgram`.

    Cost: ``O(batch n^3 NT S^2)`` time, and memory for a sum of ``n NT S^2`` terms.

    References:
        J. Baker, *Trainable Grammars for Speech Recognition*, 1979. K. Lari, S. Young, 1990.

    Example:
        >>> one = torch.zeros(1, 2, 2)  # A -> A A, A P, P A, P P
        >>> PCFG(torch.zeros(4, 1), one, torch.zeros(1)).count().item()
        5.0
    """

    factor_names = ("terms", "rules", "roots")

    def __init__(
        self,
        terms: torch.Tensor,
        rules: torch.Tensor,
        roots: torch.Tensor,
        lengths: torch.Tensor | None = None,
    ):
        terms = checked_scores("PCFG", "terms", terms, 2)
        *batch, n, words = terms.shape
        shape = torch.Size(batch)
        require(n >= 1 and words >= 1, "PCFG(terms)", "must have at least one word and one preterminal", terms)
        roots = checked_scores("PCFG", "roots", roots, 1)
        check_same_kind("PCFG(roots)", roots, terms, "terms")
        count = roots.shape[-1]
        rules = checked_scores("PCFG", "rules", rules, 3)
        check_same_kind("PCFG(rules)", rules, terms, "terms")
        wanted = (count, count + words, count + words)
        require(tuple(rules.shape[-3:]) == wanted, "PCFG(rules)", f"must end in shape {wanted}", rules)
        ends = check_lengths("PCFG(lengths)", lengths, shape, n, terms.device)
        flat = (per_example("PCFG(rules)", rules, shape, 3), per_example("PCFG(roots)", roots, shape, 1))
        super().__init__((flatten_batch(terms, 2), *flat), shape, ends - 1)

    @staticmethod
    def inside(semiring: Semiring, *factors: torch.Tensor, **options: Any) -> torch.Tensor:
        """Fill the chart by widths: pairs of children first, summed over the split, then rules."""
        terms, rules, roots = factors
        batch, n, words = terms.shape[:3]
        count = roots.shape[1]
        shape = (batch, n, count)
        chart = [torch.cat([semiring.full(semiring.zero, shape, terms), terms], 2)]
        values = [semiring.full(semiring.zero, (batch,), terms)]
        for width in range(1, n):
            left, right = splits(chart, chart[::-1], n - width)  # (B, spans, splits, S)
            pairs = semiring.plus(semiring.times(left.unsqueeze(4), right.unsqueeze(3)), 2)
            derived = semiring.times(pairs.unsqueeze(2), rules.unsqueeze(1))
            spans = semiring.plus(semiring.plus(derived, 4), 3)
            nothing = semiring.full(semiring.zero, (batch, n - width, words), terms)
            chart.append(torch.cat([spans, nothing], 2))
            values.append(semiring.plus(semiring.times(spans[:, 0], roots), 1))
        return torch.stack(values, 1)


add_kernel(CKY.inside, kernels.spans)
add_kernel(PCFG.inside, kernels.grammar)
