"""What recurrent cells share: weights as torch names them, and the loop over time."""

import math
from typing import Any, final

import torch
from torch import Tensor, nn

from algonets._core.checks import check_at_least, check_floating
from algonets._core.errors import require
from algonets.nets.net import Net, check_last

__all__ = ["AbstractCell", "Recurrent"]


class AbstractCell(Net):
    """A step of a recurrent network, ``state -> state``; weights have the names and the order of torch's cells.

    Args:
        inputs: Length of an input.
        hidden: Length of the hidden state.
        blocks: Rows of the weights, in multiples of ``hidden``.
    """

    def __init__(self, inputs: int, hidden: int, blocks: int):
        super().__init__()
        name = type(self).__name__
        self.inputs = check_at_least(f"{name}(inputs)", inputs, 1)
        self.hidden = check_at_least(f"{name}(hidden)", hidden, 1)
        bound = 1 / math.sqrt(hidden)
        rows = blocks * hidden
        self.weight_ih = nn.Parameter(torch.empty(rows, inputs).uniform_(-bound, bound))
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden).uniform_(-bound, bound))
        self.bias_ih = nn.Parameter(torch.empty(rows).uniform_(-bound, bound))
        self.bias_hh = nn.Parameter(torch.empty(rows).uniform_(-bound, bound))

    def start(self, inputs: Tensor) -> Any:
        """Return the state before the first input: zeros ``(*batch, hidden)``."""
        return inputs.new_zeros((*inputs.shape[:-1], self.hidden))

    def output(self, state: Any) -> Tensor:
        """Return the part of a state that others see."""
        return state

    def gates(self, inputs: Tensor, state: Any) -> dict[str, Tensor]:
        """Return everything a step computes, by name; ``"state"`` among it for the next step."""
        raise NotImplementedError

    def forward(self, inputs: Tensor, state: Any = None) -> Any:
        """One step: inputs ``(*batch, inputs)`` and a state to the next state."""
        check_last(f"{type(self).__name__}(inputs)", inputs, self.inputs)
        return self.gates(inputs, self.start(inputs) if state is None else self.check_state(state))["state"]

    def check_state(self, state: Any) -> Any:
        """Require a state ``(*batch, hidden)``."""
        return check_last(f"{type(self).__name__}(state)", state, self.hidden)

    def _from_input(self, inputs: Tensor) -> Tensor:
        return inputs @ self.weight_ih.mT + self.bias_ih

    def _from_state(self, hidden: Tensor) -> Tensor:
        return hidden @ self.weight_hh.mT + self.bias_hh


@final
class Recurrent(Net):
    """Run a cell over a sequence, ``s_t = cell(x_t, s_{t-1})``.

    Args:
        cell: An :class:`RNNCell`, :class:`GRUCell` or :class:`LSTMCell`.

    Input ``(*batch, T, inputs)`` float, output ``(*batch, T, hidden)``. T may be 0.

    Raises:
        TypeError: If ``cell`` is none of these, or an input no floating tensor.
        ValueError: If an input has another shape.

    Differentiability: any order.
    Cost: T steps, one after the other; torch's own ``nn.LSTM`` computes the same, faster.

    Example:
        >>> from algonets.nets import LSTMCell
        >>> Recurrent(LSTMCell(3, 4))(torch.zeros(2, 7, 3)).shape
        torch.Size([2, 7, 4])
    """

    def __init__(self, cell: AbstractCell):
        super().__init__()
        if not isinstance(cell, AbstractCell):
            raise TypeError(f"Recurrent(cell) must be a cell of algonets.nets, got {type(cell).__name__}.")
        self.cell = cell

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the hidden states of all steps."""
        self._check(inputs)
        state, outputs = self.cell.start(inputs.select(-2, 0)) if inputs.shape[-2] else None, []
        for x in inputs.unbind(-2):
            state = self.cell(x, state)
            outputs.append(self.cell.output(state))
        if not outputs:
            return inputs.new_zeros((*inputs.shape[:-1], self.cell.hidden))
        return torch.stack(outputs, -2)

    def trace(self, inputs: Tensor) -> dict[str, Tensor]:
        """Return everything the cell computes, by name, each ``(*batch, T, hidden)``: for pictures. T at least 1."""
        self._check(inputs)
        require(inputs.shape[-2] > 0, "Recurrent.trace(inputs)", "must have at least one step", inputs)
        state, steps = self.cell.start(inputs.select(-2, 0)), []
        for x in inputs.unbind(-2):
            found = self.cell.gates(x, state)
            state = found.pop("state")
            steps.append(found | {"hidden": self.cell.output(state)})
        return {name: torch.stack([step[name] for step in steps], -2) for name in steps[0]}

    def _check(self, inputs: Tensor) -> None:
        check_floating("Recurrent(inputs)", inputs)
        good = inputs.ndim >= 2 and inputs.shape[-1] == self.cell.inputs
        require(good, "Recurrent(inputs)", f"must have shape (*batch, T, {self.cell.inputs})", inputs)
