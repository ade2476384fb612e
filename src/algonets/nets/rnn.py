"""The simple recurrent cell."""

from typing import Any, final

from torch import Tensor

from algonets.nets.recurrent import AbstractCell

__all__ = ["RNNCell"]


@final
class RNNCell(AbstractCell):
    """Elman's cell, ``h' = tanh(W x + b + U h + c)``: equals ``torch.nn.RNNCell``.

    Args:
        inputs: Length of an input.
        hidden: Length of the state.

    Input ``(*batch, inputs)`` and a state ``(*batch, hidden)`` (zeros by default), output the next state.

    Raises:
        TypeError: If a size is no integer, or an input no floating tensor.
        ValueError: If an argument is out of range, or an input has another shape.

    Differentiability: any order.
    References: Elman 1990, Finding Structure in Time.

    Example:
        >>> import torch
        >>> RNNCell(3, 4)(torch.zeros(2, 3)).shape
        torch.Size([2, 4])
    """

    def __init__(self, inputs: int, hidden: int):
        super().__init__(inputs, hidden, 1)

    def gates(self, inputs: Tensor, state: Any) -> dict[str, Tensor]:
        """Return the next state."""
        return {"state": (self._from_input(inputs) + self._from_state(state)).tanh()}
