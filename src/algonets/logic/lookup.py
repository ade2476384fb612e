"""A layer of lookup tables with several inputs each."""

import torch
from torch import Tensor, nn

from algonets._core.checks import check_at_least
from algonets._core.errors import require
from algonets.logic.layer import (
    Sampling,
    check_choice,
    check_features,
    check_parametrization,
    soft_weights,
    straight_through,
)
from algonets.logic.parametrizations import AbstractParametrization, Fixed, Initialization, Light4
from algonets.logic.wirings import Wiring, check_wiring, draw_wiring

__all__ = ["LookupLayer"]


class LookupLayer(nn.Module):
    """Lookup tables of k inputs, as an FPGA has them: soft truth tables with ``2^k`` entries.

    ``y_j = sum over bits s of table_j[s] prod_i (x_i if s_i else 1 - x_i)``: the multilinear extension.

    Args:
        in_features: Number of signals that come in.
        out_features: Number of tables.
        inputs: Of a table, 1 to 8.
        parametrization: ``Light4()`` (the default) or ``Walsh4()``, for any number of inputs.
        initialization: ``residual``: a table passes its first input on; ``normal``: standard normal weights.
        wiring: ``balanced`` or ``random``, or a tensor ``(inputs, out_features)``.
        sampling: As of :class:`LogicLayer`.
        generator: Of wiring and weights.

    Attributes:
        weights: ``(out_features, 2^inputs)``; the first input is the most significant bit of an entry's number.
        wiring: int32 ``(inputs, out_features)``.

    Raises:
        ValueError: for numbers out of range, unknown names, or a wiring of another shape or range.

    Differentiability:
        Any order in ``x`` and the weights; ``gumbel``: once, straight-through.

    Cost:
        O(B out 2^inputs) time and memory.

    References:
        A. Bacellar et al. (2024), Differentiable Weightless Neural Networks (tables of k inputs).

    Example:
        >>> LookupLayer(8, 3, inputs=4)(torch.rand(5, 8)).shape
        torch.Size([5, 3])
    """

    wiring: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        inputs: int = 4,
        parametrization: AbstractParametrization | None = None,
        initialization: Initialization = "residual",
        wiring: Wiring | Tensor = "balanced",
        sampling: Sampling = "soft",
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        self.in_features = check_at_least("LookupLayer(in_features)", in_features, 1)
        self.out_features = check_at_least("LookupLayer(out_features)", out_features, 1)
        self.inputs = check_at_least("LookupLayer(inputs)", inputs, 1)
        require(inputs <= 8, "LookupLayer(inputs)", "must be at most 8", inputs)
        self.parametrization = check_parametrization("LookupLayer", parametrization or Light4())
        check_choice("LookupLayer(initialization)", initialization, "residual", "normal")
        self.sampling = check_choice("LookupLayer(sampling)", sampling, "soft", "gumbel")
        if isinstance(wiring, Tensor):
            drawn = check_wiring("LookupLayer(wiring)", wiring, in_features, (inputs, out_features))
        else:
            check_choice("LookupLayer(wiring)", wiring, "balanced", "random")
            drawn = draw_wiring(in_features, out_features, wiring, inputs, generator)
        self.register_buffer("wiring", drawn)
        self.weights = nn.Parameter(self.parametrization.initial((out_features,), inputs, initialization, generator))

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Look up ``(*batch, in_features)`` in [0, 1]; returns ``(*batch, out_features)``."""
        check_features("LookupLayer(x)", x, self.in_features)
        table = straight_through(self, soft_weights(self, self.weights.to(x.dtype), generator))
        for wires in self.wiring:  # the first input halves the table
            bit = x[..., wires.long()].unsqueeze(-1)
            low, high = table.chunk(2, -1)
            table = low + bit * (high - low)
        return table.squeeze(-1)

    def hard_tables(self) -> Tensor:
        """Truth tables ``(out_features, 2^inputs)`` of 0 and 1."""
        return self.parametrization.hard_tables(self.weights.detach())

    def discretise(self) -> None:
        """Fix the truth tables, in place."""
        tables = self.hard_tables()
        self.parametrization, self.sampling = Fixed(), "soft"
        self.weights = nn.Parameter(tables, requires_grad=False)

    def extra_repr(self) -> str:
        """Show the arguments."""
        return f"{self.in_features}, {self.out_features}, inputs={self.inputs}, {self.parametrization!r}"
