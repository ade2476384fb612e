"""Associative memories as layers of a network: learned questions to a set, and learned patterns to be looked up."""

from typing import final

import torch
from torch import Tensor, nn

from algonets._core.checks import check_at_least, check_floating
from algonets._core.errors import reject_type, require
from algonets.memory.dense import AssociativeMemory, ModernHopfield

__all__ = ["HopfieldLookup", "HopfieldPooling"]


def _reader(call: str, n: int, memory: AssociativeMemory | None) -> AssociativeMemory:
    """Return the memory that reads; by default a modern one with the steepness of attention."""
    if memory is None:
        return ModernHopfield(n, n**-0.5)
    if not isinstance(memory, AssociativeMemory):
        reject_type(call, "must be an AssociativeMemory such as ModernHopfield(n)", memory)
    require(memory.n == n, call, f"must be for patterns of length {n}", memory.n)
    return memory


@final
class HopfieldPooling(nn.Module):
    """Summarise a set: learned queries read its elements as if these were the stored patterns.

    ``y_k = read(q_k, X)`` with parameters ``q``; by a modern memory ``sum_s softmax(beta X q_k)_s x_s``. The order of
    the elements does not matter.

    Args:
        n: length of an element.
        queries: how many are learned.
        memory: how it is read (its way, steepness, updates; what it stores itself is not used); by default
            ``ModernHopfield(n, n ** -0.5)``.

    Raises:
        TypeError: if a size is not an integer, or ``memory`` no associative memory.
        ValueError: if a size is below 1, or ``memory`` is for another length.

    Differentiability: that of the memory's way, in the elements and the queries.
    Cost: O(queries S n) a set and step.
    References: Ramsauer et al. 2021, Hopfield Networks is All You Need, section 3 (HopfieldPooling).

    Example:
        >>> HopfieldPooling(4, queries=2)(torch.randn(8, 5, 4)).shape
        torch.Size([8, 2, 4])
    """

    def __init__(self, n: int, queries: int = 1, memory: AssociativeMemory | None = None):
        super().__init__()
        self.n = check_at_least("HopfieldPooling(n)", n, 1)
        check_at_least("HopfieldPooling(queries)", queries, 1)
        self.memory = _reader("HopfieldPooling(memory)", n, memory)
        self.queries = nn.Parameter(torch.randn(queries, n))

    def forward(self, elements: Tensor, mask: Tensor | None = None) -> Tensor:
        """Read the sets.

        Args:
            elements: ``(*batch, S, n)``, ``S`` at least 1.
            mask: boolean ``(*batch, S)``, True for the elements that count; with none of them, the result is 0.

        Returns:
            ``(*batch, queries, n)``.

        Raises:
            TypeError: if ``elements`` is not a floating tensor, or ``mask`` not boolean.
            ValueError: if the shapes do not fit.
        """
        check_floating("HopfieldPooling(elements)", elements)
        fits = elements.ndim >= 2 and elements.shape[-1] == self.n and elements.shape[-2] > 0
        require(fits, "HopfieldPooling(elements)", f"must be (*batch, S, {self.n})", elements)
        if mask is not None:
            if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
                reject_type("HopfieldPooling(mask)", "must be a boolean tensor", mask)
            require(mask.shape == elements.shape[:-1], "HopfieldPooling(mask)", "must be (*batch, S)", mask)
            mask = mask.unsqueeze(-2)
        count = len(self.queries)
        sets = elements.unsqueeze(-3).expand(*elements.shape[:-2], count, *elements.shape[-2:])
        starts = self.queries.to(elements.dtype).expand(*elements.shape[:-2], count, self.n)
        return self.memory.read(starts, sets, mask)

    def extra_repr(self) -> str:
        """Show what rebuilds it."""
        return f"n={self.n}, queries={len(self.queries)}"


@final
class HopfieldLookup(nn.Module):
    """Look up learned patterns: the query settles among learned keys, and reads their learned values.

    ``y = sum_p w_p(q*) v_p`` with parameters ``x`` (keys, the stored patterns) and ``v``; ``q*`` is the query after
    all updates of the memory but the last. Prototypes, a codebook, or a layer of experts' answers.

    Args:
        n: length of a query.
        patterns: how many are learned.
        outputs: length of a value; by default the keys are the values, and the result is the pattern recalled.
        memory: see :class:`HopfieldPooling`.

    Raises:
        TypeError: if a size is not an integer, or ``memory`` no associative memory.
        ValueError: if a size is below 1, or ``memory`` is for another length.

    Differentiability: ``unroll`` and ``analytic`` any order; ``pool`` linear in the chosen value.
    Cost: O(patterns n) a query and step.
    References: Ramsauer et al. 2021, Hopfield Networks is All You Need, section 3 (HopfieldLayer).

    Example:
        >>> HopfieldLookup(4, patterns=10, outputs=3)(torch.randn(8, 4)).shape
        torch.Size([8, 3])
    """

    def __init__(self, n: int, patterns: int, outputs: int | None = None, memory: AssociativeMemory | None = None):
        super().__init__()
        self.n = check_at_least("HopfieldLookup(n)", n, 1)
        check_at_least("HopfieldLookup(patterns)", patterns, 1)
        self.memory = _reader("HopfieldLookup(memory)", n, memory)
        self.keys = nn.Parameter(torch.randn(patterns, n))
        if outputs is not None:
            check_at_least("HopfieldLookup(outputs)", outputs, 1)
            self.values = nn.Parameter(torch.randn(patterns, outputs) / patterns**0.5)
        else:
            self.register_parameter("values", None)

    def forward(self, queries: Tensor) -> Tensor:
        """Look up ``(*batch, n)`` queries.

        Returns:
            ``(*batch, outputs)``, or ``(*batch, n)`` without values.

        Raises:
            TypeError: if ``queries`` is not a floating tensor.
            ValueError: if the shape does not fit.
        """
        check_floating("HopfieldLookup(queries)", queries)
        fits = queries.ndim >= 1 and queries.shape[-1] == self.n
        require(fits, "HopfieldLookup(queries)", f"must be (*batch, {self.n})", queries)
        keys = self.keys.to(queries.dtype)
        if self.values is None:
            return self.memory.read(queries, keys)
        return self.memory.read(queries, keys, values=self.values.to(queries.dtype))

    def extra_repr(self) -> str:
        """Show what rebuilds it."""
        outputs = None if self.values is None else self.values.shape[-1]
        return f"n={self.n}, patterns={len(self.keys)}, outputs={outputs}"
