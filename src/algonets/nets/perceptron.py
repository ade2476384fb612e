"""Rosenblatt's perceptron and its learning rule."""

from typing import final

import torch
from torch import Tensor, nn

from algonets._core.checks import check_at_least
from algonets._core.errors import require
from algonets.nets.net import Net, check_last

__all__ = ["Perceptron"]


@final
class Perceptron(Net):
    """One threshold unit, ``y = 1`` where ``w x + b > 0``, else 0, learning only from its mistakes.

    After each wrong example ``w <- w + (t - y) x`` and ``b <- b + (t - y)``. If a line (a hyperplane) separates the
    classes, this ends after finitely many mistakes; if none does, it never ends.

    Args:
        inputs: Length of an input, at least 1.

    Attributes:
        weight: ``(inputs,)``, zero at first.
        bias: One number, zero at first.

    Input ``(*batch, inputs)`` float, output ``(*batch)`` of 0 and 1.

    Raises:
        TypeError: If a size is no integer, or an input no floating tensor.
        ValueError: If an argument is out of range, or an input has another shape.

    Differentiability: piecewise constant; it is trained by :meth:`fit`, not by gradients.
    Cost: one pass over N examples is O(N inputs).
    References: Rosenblatt 1958, The Perceptron; Novikoff 1962, On Convergence Proofs for Perceptrons.

    Example:
        >>> inputs = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        >>> unit = Perceptron(2)
        >>> unit.fit(inputs, torch.tensor([0.0, 0.0, 0.0, 1.0]))
        True
        >>> unit(inputs)
        tensor([0., 0., 0., 1.])
        >>> unit.fit(inputs, torch.tensor([0.0, 1.0, 1.0, 0.0]))  # XOR
        False
    """

    def __init__(self, inputs: int):
        super().__init__()
        self.inputs = check_at_least("Perceptron(inputs)", inputs, 1)
        self.weight = nn.Parameter(torch.zeros(inputs), requires_grad=False)
        self.bias = nn.Parameter(torch.zeros(()), requires_grad=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Decide: ``(*batch, inputs)`` to ``(*batch)``."""
        check_last("Perceptron(inputs)", inputs, self.inputs)
        return (inputs @ self.weight + self.bias > 0).to(inputs.dtype)

    @torch.no_grad()
    def fit(self, inputs: Tensor, targets: Tensor, epochs: int = 100) -> bool:
        """Learn by Rosenblatt's rule, from the weights there are, until an epoch passes without a mistake.

        Args:
            inputs: ``(N, inputs)``.
            targets: ``(N,)`` of 0 and 1.
            epochs: At most so many passes, at least 1.

        Returns:
            Whether all examples are right in the end.
        """
        check_at_least("Perceptron.fit(epochs)", epochs, 1)
        good = inputs.ndim == 2 and targets.shape == inputs.shape[:1]
        require(good, "Perceptron.fit(targets)", f"must have shape (N,) of inputs (N, {self.inputs})", targets)
        require(bool(((targets == 0) | (targets == 1)).all()), "Perceptron.fit(targets)", "must be 0 or 1", targets)
        for _ in range(epochs):
            mistakes = 0
            for x, target in zip(inputs, targets.to(inputs.dtype), strict=True):
                error = target - self(x)
                self.weight += error * x
                self.bias += error
                mistakes += int(error != 0)
            if not mistakes:
                return True
        return bool((self(inputs) == targets).all())
