"""Gates that are on or off, learned with the number that is on: L0 regularisation."""

import math
from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets._core.checks import check_at_least, check_positive
from algonets._core.errors import require

__all__ = ["HardConcrete", "L0Linear"]


@final
class HardConcrete(nn.Module):
    r"""Bernoulli gates with a gradient: a logistic variable, squashed, stretched beyond [0, 1] and cut.

    .. math:: z = \min(1, \max(0, \bar s)), \quad \bar s = s (h - l) + l, \quad
        s = \sigma\big((\log u - \log(1 - u) + \log\alpha) / \beta\big)

    The cut makes exact zeros and ones; the probability of a gate to be on is
    :math:`\sigma(\log\alpha - \beta \log(-l / h))`, and its sum a differentiable count.

    Args:
        shape: Of the gates.
        probability: That a gate is on at first, in (0, 1).
        temperature: :math:`\beta`, positive.
        low: :math:`l`, negative.
        high: :math:`h`, above 1.

    Shape: ``forward(generator=None)`` gives gates in [0, 1]: random in training, the most likely ones in evaluation.

    Raises:
        ValueError: if an argument is out of range.

    Differentiability: almost everywhere; zero where a gate is cut.
    Cost: a few element-wise operations.
    References: Louizos, Welling, Kingma 2018, Learning Sparse Neural Networks through L0 Regularization, eq. 10-12.

    Example:
        >>> gates = HardConcrete((3,), probability=0.9)
        >>> round(gates.active().sum().item(), 3)
        2.7
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        probability: float = 0.9,
        temperature: float = 2 / 3,
        low: float = -0.1,
        high: float = 1.1,
    ):
        super().__init__()
        require(0 < probability < 1, "HardConcrete(probability)", "must be between 0 and 1", probability)
        check_positive("HardConcrete(temperature)", temperature)
        require(low < 0 and high > 1, "HardConcrete(low, high)", "must reach beyond 0 and 1", (low, high))
        self.probability = float(probability)
        self.temperature, self.low, self.high = float(temperature), float(low), float(high)
        start = math.log(probability / (1 - probability)) + self._offset
        self.log_alpha = nn.Parameter(torch.full(tuple(shape), start))

    @property
    def _offset(self) -> float:
        return self.temperature * math.log(-self.low / self.high)

    def forward(self, generator: torch.Generator | None = None) -> Tensor:
        """Draw the gates, or return the most likely ones."""
        logits = self.log_alpha
        if self.training:
            u = torch.rand(logits.shape, generator=generator, dtype=logits.dtype, device=logits.device)
            u = u.clamp(torch.finfo(u.dtype).eps, 1 - torch.finfo(u.dtype).eps)
            s = torch.sigmoid((u.logit() + logits) / self.temperature)
        else:
            s = torch.sigmoid(logits)
        return (s * (self.high - self.low) + self.low).clamp(0, 1)

    def active(self) -> Tensor:
        """The probability of each gate to be on; its sum is the expected number."""
        return torch.sigmoid(self.log_alpha - self._offset)

    def extra_repr(self) -> str:
        """Show what rebuilds it."""
        start = f"shape={tuple(self.log_alpha.shape)}, probability={self.probability!r}"
        return f"{start}, temperature={self.temperature!r}, low={self.low!r}, high={self.high!r}"


class L0Linear(nn.Module):
    """A linear layer whose edges or input neurons are gated: structure is learned with the weights.

    ``y = (W * z) x + b``, with :class:`HardConcrete` gates ``z``. Add ``strength * penalty()`` to the loss.

    Args:
        in_features: Inputs.
        out_features: Outputs.
        gates: ``"edges"`` one a weight; ``"neurons"`` one an input.
        probability: That a gate is on at first.
        bias: With a bias, which has no gate.

    Shape: ``forward(x, generator=None)``, ``(*batch, in_features)`` to ``(*batch, out_features)``.

    Raises:
        ValueError: if a size is below 1, or ``gates`` is unknown.

    Differentiability: almost everywhere.
    Cost: that of a linear layer. One draw of the gates serves the batch.
    References: Louizos, Welling, Kingma 2018, Learning Sparse Neural Networks through L0 Regularization.

    Example:
        >>> L0Linear(4, 3, probability=0.5).penalty().item()
        6.0
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        gates: Literal["edges", "neurons"] = "edges",
        probability: float = 0.9,
        bias: bool = True,
    ):
        super().__init__()
        check_at_least("L0Linear(in_features)", in_features, 1)
        check_at_least("L0Linear(out_features)", out_features, 1)
        require(gates in ("edges", "neurons"), "L0Linear(gates)", "must be 'edges' or 'neurons'", gates)
        plain = nn.Linear(in_features, out_features, bias)
        self.weight = plain.weight
        self.bias = plain.bias
        self.gates = HardConcrete((out_features if gates == "edges" else 1, in_features), probability)

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Apply it."""
        return functional.linear(x, self.weight * self.gates(generator), self.bias)

    def penalty(self) -> Tensor:
        """The expected number of weights that are not zero."""
        return self.gates.active().sum() * (self.weight.numel() / self.gates.log_alpha.numel())

    def effective_weight(self) -> Tensor:
        """The weights under the most likely gates, with exact zeros."""
        was = self.gates.training
        try:
            return (self.weight * self.gates.eval()()).detach()
        finally:
            self.gates.train(was)

    def extra_repr(self) -> str:
        """Show what rebuilds it."""
        outs, ins = self.weight.shape
        kind, start = "edges" if self.gates.log_alpha.shape == self.weight.shape else "neurons", self.gates.probability
        bias = self.bias is not None
        return f"in_features={ins}, out_features={outs}, gates={kind!r}, probability={start!r}, bias={bias}"
