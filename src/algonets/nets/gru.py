"""The gated recurrent unit."""

from typing import Any, final

from torch import Tensor

from algonets.nets.recurrent import AbstractCell

__all__ = ["GRUCell"]


@final
class GRUCell(AbstractCell):
    """A cell whose gate mixes the old state with a new one: equals ``torch.nn.GRUCell``.

    ``r = s(W_r x + U_r h)``, ``z = s(W_z x + U_z h)``, ``n = tanh(W_n x + r (U_n h))``, ``h' = (1 - z) n + z h``, with
    biases in all. Cho et al. reset ``h`` before ``U_n``; torch, and so we, reset ``U_n h``.

    Args:
        inputs: Length of an input.
        hidden: Length of the state.

    Input ``(*batch, inputs)`` and a state ``(*batch, hidden)`` (zeros by default), output the next state.

    Raises:
        TypeError: If a size is no integer, or an input no floating tensor.
        ValueError: If an argument is out of range, or an input has another shape.

    Differentiability: any order.
    References: Cho et al. 2014, Learning Phrase Representations using RNN Encoder-Decoder, equations 5 to 8.

    Example:
        >>> import torch
        >>> GRUCell(3, 4)(torch.zeros(2, 3)).shape
        torch.Size([2, 4])
    """

    def __init__(self, inputs: int, hidden: int):
        super().__init__(inputs, hidden, 3)

    def gates(self, inputs: Tensor, state: Any) -> dict[str, Tensor]:
        """Return ``reset``, ``update``, ``new`` and the next state."""
        from_input, from_state = self._from_input(inputs).chunk(3, -1), self._from_state(state).chunk(3, -1)
        reset = (from_input[0] + from_state[0]).sigmoid()
        update = (from_input[1] + from_state[1]).sigmoid()
        new = (from_input[2] + reset * from_state[2]).tanh()
        return {"reset": reset, "update": update, "new": new, "state": (1 - update) * new + update * state}
