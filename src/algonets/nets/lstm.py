"""The long short-term memory cell."""

from typing import Any, final

import torch
from torch import Tensor, nn

from algonets._core.errors import reject_type
from algonets.nets.recurrent import AbstractCell

__all__ = ["LSTMCell"]


@final
class LSTMCell(AbstractCell):
    """A cell with a memory that gates write, keep and read: equals ``torch.nn.LSTMCell`` without peepholes.

    ``i, f, o = s(W x + U h + b)``, ``g = tanh(W_g x + U_g h + b_g)``, ``c' = f c + i g``, ``h' = o tanh(c')``. With
    peepholes the input and forget gates also see ``p c`` of the old memory, the output gate that of the new one.

    Args:
        inputs: Length of an input.
        hidden: Length of state and memory.
        peephole: Let the gates see the memory, weight by weight; zero at first.

    Input ``(*batch, inputs)`` and a state ``(h, c)``, each ``(*batch, hidden)`` (zeros by default), output the next.

    Raises:
        TypeError: If a size is no integer, or an input no floating tensor.
        ValueError: If an argument is out of range, or an input has another shape.

    Differentiability: any order.
    References: Hochreiter, Schmidhuber 1997, Long Short-Term Memory; Gers, Schraudolph, Schmidhuber 2002, Learning
    Precise Timing with LSTM Recurrent Networks (forget gate and peepholes).

    Example:
        >>> hidden, memory = LSTMCell(3, 4, peephole=True)(torch.zeros(2, 3))
        >>> hidden.shape, memory.shape
        (torch.Size([2, 4]), torch.Size([2, 4]))
    """

    def __init__(self, inputs: int, hidden: int, peephole: bool = False):
        super().__init__(inputs, hidden, 4)
        self.peephole = bool(peephole)
        self.weight_peephole = nn.Parameter(torch.zeros(3, hidden)) if self.peephole else None

    def start(self, inputs: Tensor) -> Any:
        """Return zeros for ``h`` and ``c``."""
        zeros = super().start(inputs)
        return zeros, zeros

    def check_state(self, state: Any) -> Any:
        """Require ``(h, c)``, each ``(*batch, hidden)``."""
        if not isinstance(state, tuple | list) or len(state) != 2:
            reject_type("LSTMCell(state)", "must be a pair (h, c)", state)
        return tuple(super(LSTMCell, self).check_state(part) for part in state)

    def output(self, state: Any) -> Tensor:
        """Return ``h``."""
        return state[0]

    def gates(self, inputs: Tensor, state: Any) -> dict[str, Any]:
        """Return ``input``, ``forget``, ``new``, ``output``, ``memory`` and the next state."""
        hidden, memory = state
        write, forget, new, read = (self._from_input(inputs) + self._from_state(hidden)).chunk(4, -1)
        if self.weight_peephole is not None:
            write, forget = write + self.weight_peephole[0] * memory, forget + self.weight_peephole[1] * memory
        write, forget, new = write.sigmoid(), forget.sigmoid(), new.tanh()
        memory = forget * memory + write * new
        if self.weight_peephole is not None:
            read = read + self.weight_peephole[2] * memory
        read = read.sigmoid()
        found = {"input": write, "forget": forget, "new": new, "output": read, "memory": memory}
        return {**found, "state": (read * memory.tanh(), memory)}
