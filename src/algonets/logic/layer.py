"""A layer of logic gates."""

from typing import Literal

import torch
from torch import Tensor, nn

from algonets._core.checks import check_at_least, check_floating
from algonets._core.errors import reject_type, require
from algonets._core.shapes import flatten_batch, unflatten_batch
from algonets.logic._stack import coefficients16, stack
from algonets.logic.gates import COEFFICIENTS, coefficients_of_tables
from algonets.logic.parametrizations import AbstractParametrization, Fixed, Initialization, Softmax16
from algonets.logic.wirings import Wiring, check_wiring, draw_wiring

__all__ = ["LogicLayer", "check_features", "soft_weights", "straight_through"]

Sampling = Literal["soft", "gumbel"]


class LogicLayer(nn.Module):
    """Gates of two inputs, each a soft mixture of the sixteen logic gates.

    ``y_j = c0 + c1 a + c2 b + c3 a b`` for gate j with inputs a and b, ``c = softmax(w_j) COEFFICIENTS`` in the
    default parametrisation: the expected output of a random gate at random bits.

    Inputs are probabilities of bits, in [0, 1]. That is not checked, as reading them all would cost as much as a layer:
    outside, the polynomial goes on, its values are no probabilities, and a hardened network no longer computes what its
    circuit does, which takes bits for numbers above 1/2. Put a :class:`Thermometer` or :class:`Binarize` in front of
    numbers of any other kind.

    Args:
        in_features: Number of signals that come in.
        out_features: Number of gates.
        parametrization: ``Softmax16()``, ``Light4()`` or ``Walsh4()``: how weights make truth tables.
        initialization: ``residual``: every gate passes its first input on; ``normal``: standard normal weights.
        wiring: ``balanced``, ``unique`` or ``random``, see :func:`draw_wiring`; a tensor ``(2, out_features)`` of
            signals; or ``learnable``: each input is a learned mixture of ``candidates`` drawn signals.
        sampling: ``soft``; or ``gumbel``: in training, forward is a gate drawn by Gumbel noise and backward the soft
            one (straight-through), which closes the gap to the hard network.
        candidates: Signals that a learnable input chooses from.
        generator: Of wiring and weights.

    Attributes:
        weights: ``(out_features, parametrization.size(2))``.
        wiring: int32 ``(2, out_features)``, or ``(2, out_features, candidates)`` of a learnable one; in the
            ``state_dict``.
        routing: Logits of the candidates, of a learnable wiring only.

    Raises:
        ValueError: for numbers below 1, unknown names, or a wiring of another shape or range.

    Differentiability:
        Any order in ``x`` and the weights; ``gumbel``: once, straight-through.

    Cost:
        O(B (in + out)) time and memory.

    References:
        F. Petersen et al. (2022), Deep Differentiable Logic Gate Networks. S. Yousefi et al. (2025), Mind the Gap
        (Gumbel noise and straight-through).

    Example:
        >>> layer = LogicLayer(4, 8, generator=torch.Generator().manual_seed(0))
        >>> layer(torch.rand(3, 4)).shape
        torch.Size([3, 8])
    """

    wiring: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        parametrization: AbstractParametrization | None = None,
        initialization: Initialization = "residual",
        wiring: Wiring | Tensor = "balanced",
        sampling: Sampling = "soft",
        candidates: int = 8,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        self.in_features = check_at_least("LogicLayer(in_features)", in_features, 1)
        self.out_features = check_at_least("LogicLayer(out_features)", out_features, 1)
        self.parametrization = check_parametrization("LogicLayer", parametrization)
        check_choice("LogicLayer(initialization)", initialization, "residual", "normal")
        self.sampling = check_choice("LogicLayer(sampling)", sampling, "soft", "gumbel")
        self.routing = None
        if isinstance(wiring, Tensor):
            drawn = check_wiring("LogicLayer(wiring)", wiring, in_features, (2, out_features))
        elif wiring == "learnable":
            count = check_at_least("LogicLayer(candidates)", candidates, 1)
            drawn = draw_wiring(in_features, out_features * count, "balanced", 2, generator)
            drawn = drawn.reshape(2, out_features, count)
            self.routing = nn.Parameter(torch.randn(drawn.shape, generator=generator))
        else:
            check_choice("LogicLayer(wiring)", wiring, "balanced", "unique", "random", "learnable")
            drawn = draw_wiring(in_features, out_features, wiring, 2, generator)
        self.register_buffer("wiring", drawn)
        self.weights = nn.Parameter(self.parametrization.initial((out_features,), 2, initialization, generator))

    @property
    def fusable(self) -> bool:
        """Whether it can be run together with its neighbours: all but a learnable wiring."""
        return self.routing is None

    @property
    def plain_softmax(self) -> bool:
        """Whether the coefficients are a softmax of the weights without noise, which a kernel computes."""
        noisy = self.training and self.sampling == "gumbel"
        return isinstance(self.parametrization, Softmax16) and not noisy

    def coefficients(self, dtype: torch.dtype, generator: torch.Generator | None = None) -> Tensor:
        """Coefficients ``(out_features, 4)`` of the polynomials; noisy in training with ``gumbel``."""
        weights = self.weights.to(dtype)
        if self.plain_softmax:
            found = coefficients16([weights])
            return weights.softmax(-1) @ COEFFICIENTS.to(weights) if found is None else found
        weights = soft_weights(self, weights, generator)
        return coefficients_of_tables(straight_through(self, weights))

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Run the gates on ``(*batch, in_features)`` in [0, 1]; returns ``(*batch, out_features)``."""
        check_features("LogicLayer(x)", x, self.in_features)
        rows = flatten_batch(x, 1)
        coefficients = self.coefficients(x.dtype, generator)
        if self.routing is None:
            y = stack(rows, coefficients, self.wiring[0], self.wiring[1], [self.out_features])
        else:
            inputs = (rows[:, self.wiring.long()] * self.routing.to(x.dtype).softmax(-1)).sum(-1)
            a, b = inputs.unbind(1)
            c0, c1, c2, c3 = coefficients.unbind(-1)
            y = c0 + c1 * a + (c2 + c3 * a) * b
        return unflatten_batch(y, x.shape[:-1])

    def hard_tables(self) -> Tensor:
        """Truth tables ``(out_features, 4)`` of the most likely gates."""
        return self.parametrization.hard_tables(self.weights.detach())

    def gates(self) -> Tensor:
        """Numbers ``(out_features,)`` of the most likely gates, as in ``GATES``."""
        return (self.hard_tables().long() * torch.tensor([8, 4, 2, 1], device=self.weights.device)).sum(-1)

    def hard_wiring(self) -> Tensor:
        """int32 ``(2, out_features)``: of a learnable wiring, the most likely candidates."""
        if self.routing is None:
            return self.wiring
        return self.wiring.gather(-1, self.routing.argmax(-1, keepdim=True)).squeeze(-1)

    def discretise(self) -> None:
        """Fix the most likely gates and wires, in place."""
        tables, wiring = self.hard_tables(), self.hard_wiring()
        self.parametrization, self.routing, self.sampling = Fixed(), None, "soft"
        self.weights = nn.Parameter(tables, requires_grad=False)
        self.wiring = wiring.clone()

    def extra_repr(self) -> str:
        """Show the arguments."""
        kind = "" if self.routing is None else f", learnable wiring of {self.wiring.shape[-1]} candidates"
        return f"{self.in_features}, {self.out_features}, {self.parametrization!r}, sampling={self.sampling!r}{kind}"


def check_choice(call: str, value: str, *known: str):
    """Require one of the known names."""
    require(isinstance(value, str) and value in known, call, f"must be one of {', '.join(known)}", value)
    return value


def check_parametrization(name: str, value: AbstractParametrization | None) -> AbstractParametrization:
    """Return a parametrisation, by default the distribution over sixteen gates."""
    if value is None:
        return Softmax16()
    if not isinstance(value, AbstractParametrization):
        reject_type(f"{name}(parametrization)", "must be Softmax16(), Light4() or Walsh4()", value)
    return value


def check_features(call: str, x: Tensor, features: int) -> None:
    """Require a floating tensor with so many features in the last dimension."""
    check_floating(call, x)
    require(x.ndim >= 1 and x.shape[-1] == features, call, f"must have {features} features in the last dimension", x)


def soft_weights(layer, weights: Tensor, generator: torch.Generator | None) -> Tensor:
    """Add the noise of a layer that samples."""
    if layer.training and layer.sampling == "gumbel":
        return weights + layer.parametrization.noise(weights, generator)
    return weights


def straight_through(layer, weights: Tensor) -> Tensor:
    """Soft truth tables; of a layer that samples in training, hard ones with the gradient of the soft."""
    soft = layer.parametrization.tables(weights)
    if layer.training and layer.sampling == "gumbel":
        return layer.parametrization.hard_tables(weights.detach()) + (soft - soft.detach())
    return soft
