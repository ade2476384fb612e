"""A conditional random field layer: a linear chain with learned transitions."""

from typing import Literal, final

import torch
from torch import nn

from algonets._core.checks import check_at_least, check_floating, values_visible
from algonets._core.errors import reject, reject_type, require
from algonets._core.reductions import reduce_loss
from algonets.dp.linear_chain import LinearChain

__all__ = ["CRF"]


@final
class CRF(nn.Module):
    r"""Linear-chain conditional random field: learned start, transition and end scores on top of a network's.

    .. math:: -\log p(y \mid x) = \log Z(x) - s(y, x)

    For users of pytorch-crf: batches come first; ``forward`` returns the loss (the negative of theirs), averaged by
    default; labels come back as one padded tensor; padding is given by ``lengths`` or by a ``mask`` without holes;
    the parameters are ``start``, ``end`` and ``transition``.

    Args:
        num_states: Number of labels ``S``, at least 1.

    Attributes:
        transition: ``(S, S)`` scores from label i to label j.
        start: ``(S,)`` scores of the first label.
        end: ``(S,)`` scores of the last label.

    Differentiability: any order, in the scores and in the parameters.

    Cost: as :class:`LinearChain`.

    References:
        J. Lafferty, A. McCallum, F. Pereira, *Conditional Random Fields*, ICML 2001.

    Example:
        >>> crf = CRF(3)
        >>> unary, labels = torch.randn(2, 5, 3), torch.zeros(2, 5, dtype=torch.long)
        >>> loss = crf(unary, labels, lengths=torch.tensor([5, 2]))
        >>> crf.decode(unary).shape
        torch.Size([2, 5])
    """

    def __init__(self, num_states: int):
        super().__init__()
        self.num_states = check_at_least("CRF(num_states)", num_states, 1)
        self.start = nn.Parameter(torch.empty(num_states))
        self.end = nn.Parameter(torch.empty(num_states))
        self.transition = nn.Parameter(torch.empty(num_states, num_states))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all scores uniformly from [-0.1, 0.1]."""
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -0.1, 0.1)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"num_states={self.num_states}"

    def chain(
        self, unary: torch.Tensor, lengths: torch.Tensor | None = None, mask: torch.Tensor | None = None
    ) -> LinearChain:
        """Return the :class:`LinearChain` of a batch, with all its methods.

        Args:
            unary: Scores ``(*batch, T, S)`` of the network.
            lengths: Integers ``batch`` in ``1 .. T``.
            mask: Instead of lengths, booleans ``(*batch, T)``: true, then false.

        Raises:
            ValueError: for both lengths and mask, or a mask with holes or an empty row.
        """
        check_floating("LinearChain(unary)", unary)  # whose argument it becomes
        unary = unary.to(torch.promote_types(unary.dtype, torch.float32))
        if mask is not None:
            require(lengths is None, "CRF(lengths=..., mask=...)", "takes one of the two", "both")
            lengths = _lengths_of_mask(mask, unary)
        return LinearChain(
            unary, self.transition.to(unary.dtype), self.start.to(unary.dtype), self.end.to(unary.dtype), lengths
        )

    def forward(
        self,
        unary: torch.Tensor,
        labels: torch.Tensor,
        lengths: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        reduction: Literal["none", "sum", "mean", "token_mean"] = "mean",
    ) -> torch.Tensor:
        """Return the negative log-likelihood of labels.

        Args:
            unary: Scores ``(*batch, T, S)``.
            labels: Integers ``(*batch, T)`` in ``0 .. S - 1``; anything beyond the length.
            lengths, mask: As :meth:`chain`.
            reduction: ``"none"`` a value a sequence, ``"sum"``, ``"mean"`` over sequences, or ``"token_mean"``.
        """
        chain = self.chain(unary, lengths, mask)
        return reduce_loss("CRF.forward", -chain.log_prob(labels), reduction, tokens=chain.lengths)

    def decode(
        self, unary: torch.Tensor, lengths: torch.Tensor | None = None, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the best labels ``(*batch, T)``, int64, -1 beyond the length (:meth:`LinearChain.argmax`)."""
        return self.chain(unary, lengths, mask).argmax()

    def topk(
        self, unary: torch.Tensor, k: int, lengths: torch.Tensor | None = None, mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the scores and labels of the ``k`` best sequences (:meth:`LinearChain.topk`)."""
        return self.chain(unary, lengths, mask).topk(k)

    def marginals(
        self, unary: torch.Tensor, lengths: torch.Tensor | None = None, mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return unary and pairwise marginals (:meth:`LinearChain.marginals`)."""
        return self.chain(unary, lengths, mask).marginals()


def _lengths_of_mask(mask: torch.Tensor, unary: torch.Tensor) -> torch.Tensor:
    if not isinstance(mask, torch.Tensor) or mask.dtype not in (torch.bool, torch.uint8):
        reject_type("CRF(mask)", "must be a Boolean tensor", mask)
    require(mask.shape == unary.shape[:-1], "CRF(mask)", f"must have shape {tuple(unary.shape[:-1])}", mask)
    mask = mask.bool()
    if values_visible(mask) and bool((mask[..., 1:] & ~mask[..., :-1]).any()):
        reject("CRF(mask)", "must be true, then false, in each row", "a row with a hole", "Pack the steps to the left.")
    return mask.sum(-1)
