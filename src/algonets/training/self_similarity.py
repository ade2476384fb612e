"""Layers that are alike: one shared block, and small differences that are pulled to zero."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from algonets._core.errors import reject_type, require

__all__ = ["SelfSimilarity"]


class SelfSimilarity(nn.Module):
    r"""A prior by which blocks of weights are one block plus differences: repeated structure, stored once.

    .. math:: W_b = W_0 + \delta_b, \qquad \text{penalty} = \sum_b |\delta_b|_1

    Networks are often made of alike parts, as programs are made of loops. The differences are parameters of the
    layers, the shared block is one of this module; :meth:`shrink` after each step of the optimiser sets most
    differences to exactly zero (the proximal step of the penalty), and then only ``W_0`` and what is left is stored.
    Pulling the blocks to their mean instead makes them collapse.

    Args:
        blocks: Layers of one kind with weights of one shape; they are changed in place, computing as before.
        name: The parameter that is shared.

    Raises:
        TypeError: if ``blocks`` are not modules.
        ValueError: if there are fewer than two, or their shapes differ.

    Differentiability: the penalty almost everywhere.
    Cost: an addition a block.
    References: Rissanen 1978, Modeling by Shortest Data Description (why); Savarese, Maire 2019, Learning Implicitly
        Recurrent CNNs Through Parameter Sharing (soft sharing between layers).

    Example:
        >>> layers = [nn.Linear(3, 3) for _ in range(4)]
        >>> prior = SelfSimilarity(layers)
        >>> prior.shrink(1e9)
        >>> all(torch.equal(layer.weight, layers[0].weight) for layer in layers)
        True
        >>> prior.kept()
        0.0
    """

    def __init__(self, blocks: Sequence[nn.Module], name: str = "weight"):
        super().__init__()
        require(len(blocks) >= 2, "SelfSimilarity(blocks)", "must be at least two", len(blocks))
        for block in blocks:
            if not isinstance(block, nn.Module):
                reject_type("SelfSimilarity(blocks)", "must be modules", block)
        weights = [getattr(block, name).detach() for block in blocks]
        same = all(weight.shape == weights[0].shape for weight in weights)
        rule = "must have weights of one shape"
        require(same, "SelfSimilarity(blocks)", rule, [tuple(weight.shape) for weight in weights])
        self.name = name
        # A block, not the mean of all: means of random weights are small, and signals would die out.
        self.shared = nn.Parameter(weights[0].clone())
        self._blocks = list(blocks)  # not submodules: they belong to the network
        for block, weight in zip(blocks, weights, strict=True):
            with torch.no_grad():
                getattr(block, name).copy_(weight - self.shared)
            parametrize.register_parametrization(block, name, _Plus(self), unsafe=True)

    @property
    def differences(self) -> list[Tensor]:
        """The parameters ``delta_b``."""
        return [block.parametrizations[self.name].original for block in self._blocks]  # pyright: ignore

    def penalty(self) -> Tensor:
        """Sum of the absolute differences."""
        return torch.stack([delta.abs().sum() for delta in self.differences]).sum()

    def shrink(self, amount: float) -> None:
        """Pull every difference towards zero by ``amount`` (learning rate times strength), and stop there."""
        require(amount >= 0, "SelfSimilarity.shrink(amount)", "must not be negative", amount)
        with torch.no_grad():
            for delta in self.differences:
                delta.copy_(delta.sign() * (delta.abs() - amount).clamp_min(0))

    def kept(self) -> float:
        """The fraction of the differences that are not zero."""
        deltas = self.differences
        return sum(int(delta.count_nonzero()) for delta in deltas) / sum(delta.numel() for delta in deltas)

    def stored(self) -> list[Tensor]:
        """What has to be stored: the shared block and the differences; for :func:`description_length`."""
        return [self.shared.detach(), *(delta.detach() for delta in self.differences)]

    def extra_repr(self) -> str:
        """Show what rebuilds it."""
        return f"blocks={len(self._blocks)}, name={self.name!r}"


class _Plus(nn.Module):
    def __init__(self, prior: SelfSimilarity):
        super().__init__()
        self._prior = [prior]  # in a list: the shared block is a parameter of the prior alone

    def forward(self, delta: Tensor) -> Tensor:
        return self._prior[0].shared + delta
