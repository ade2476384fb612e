"""From numbers to bits."""

from typing import Literal

import torch
from torch import Tensor, nn

from algonets._core.checks import check_at_least, check_finite, check_positive
from algonets._core.errors import reject_type, require
from algonets.logic.layer import check_choice

__all__ = ["Binarize", "Thermometer"]


def _check_numbers(call: str, x) -> Tensor:
    if not isinstance(x, Tensor) or x.dtype.is_complex:
        reject_type(call, "must be a tensor of real numbers", x)
    return x if x.dtype.is_floating_point else x.to(torch.float32)


class Binarize(nn.Module):
    """One bit a number: 1 above a threshold.

    ``y = x > threshold``, as 0 and 1.

    Args:
        threshold: The number to be above.

    Differentiability:
        Piecewise constant.

    Cost:
        O(n).

    Example:
        >>> Binarize()(torch.tensor([0.2, 0.7]))
        tensor([0., 1.])
    """

    def __init__(self, threshold: float = 0.5):
        super().__init__()
        self.register_buffer("threshold", torch.tensor(float(threshold)))

    threshold: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Compare; the result has the dtype of ``x``, float32 for integers and booleans."""
        x = _check_numbers("Binarize(x)", x)
        return (x > self.threshold.to(x.dtype)).to(x.dtype)

    def extra_repr(self) -> str:
        """Show the argument."""
        return f"{float(self.threshold):g}"


class Thermometer(nn.Module):
    """Several bits a number: how many thresholds it is above.

    ``y[t n + f] = x[f] > threshold[t, f]`` for ``n`` features; images get ``bits`` times their channels.

    Args:
        bits: Thresholds of each feature.
        event_dims: Dimensions of an example: 1 for vectors, 3 for images ``(C, H, W)``.
        spacing: How :meth:`fit` places thresholds: ``uniform`` between the smallest and the largest value,
            ``quantile`` with equally many values between neighbours.
        shared: Whether all features have the same thresholds. If not, ``fit`` gives each its own.
        learnable: Thresholds are learned: forward the bits, backward the slope of a sigmoid (straight-through).
        temperature: Of that sigmoid, in units of ``x``.

    Attributes:
        thresholds: ``(bits, *1)`` or ``(bits, *event)``, increasing; before ``fit`` they divide [0, 1].

    Raises:
        ValueError: for numbers below 1.

    Differentiability:
        Piecewise constant; if learnable, once, straight-through.

    Cost:
        O(bits n).

    References:
        A. Bacellar et al. (2024), Differentiable Weightless Neural Networks (learned thresholds).

    Example:
        >>> Thermometer(3)(torch.tensor([0.6, 0.1]))
        tensor([1., 0., 1., 0., 0., 0.])
    """

    thresholds: Tensor

    def __init__(
        self,
        bits: int,
        event_dims: int = 1,
        spacing: Literal["uniform", "quantile"] = "uniform",
        shared: bool = True,
        learnable: bool = False,
        temperature: float = 0.1,
    ):
        super().__init__()
        self.bits = check_at_least("Thermometer(bits)", bits, 1)
        self.event_dims = check_at_least("Thermometer(event_dims)", event_dims, 1)
        self.spacing = check_choice("Thermometer(spacing)", spacing, "uniform", "quantile")
        check_positive("Thermometer(temperature)", temperature)
        self.shared, self.learnable, self.temperature = shared, learnable, temperature
        start = torch.arange(1, bits + 1, dtype=torch.float32) / (bits + 1)
        start = start.reshape(bits, *[1] * event_dims)
        if learnable:
            self.thresholds = nn.Parameter(start)
        else:
            self.register_buffer("thresholds", start)

    def fit(self, data: Tensor) -> "Thermometer":
        """Place the thresholds by examples ``(N, *event)``; returns itself.

        Raises:
            ValueError: if there are no examples, or numbers that are not finite.
        """
        data = _check_numbers("Thermometer.fit(data)", data)
        good = data.ndim == self.event_dims + 1 and data.numel() > 0
        require(good, "Thermometer.fit(data)", f"must hold examples of {self.event_dims} dimensions", data)
        check_finite("Thermometer.fit(data)", data)
        values = data.reshape(-1, 1) if self.shared else data.flatten(1)
        values = values.detach().double().sort(0).values
        part = torch.arange(1, self.bits + 1, dtype=torch.float64, device=values.device) / (self.bits + 1)
        if self.spacing == "uniform":
            found = values[0] + part[:, None] * (values[-1] - values[0])
        else:
            found = values[((len(values) - 1) * part).floor().long()]
        event = (1,) * self.event_dims if self.shared else tuple(data.shape[1:])
        found = found.reshape(self.bits, *event).to(self.thresholds.dtype)
        if self.learnable:
            self.thresholds = nn.Parameter(found)
        else:
            self.thresholds = found
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Compare ``(*batch, *event)``: ``(*batch, bits * event[0], *event[1:])`` of 0 and 1."""
        x = _check_numbers("Thermometer(x)", x)
        require(x.ndim >= self.event_dims, "Thermometer(x)", f"must have {self.event_dims} dimensions or more", x)
        event = x.shape[x.ndim - self.event_dims :]
        own = tuple(self.thresholds.shape[1:])
        fits = all(size in (1, there) for size, there in zip(own, event, strict=True))
        require(fits, "Thermometer(x)", f"must have examples of shape {own}, as in fit", x)
        wide = x.unsqueeze(-1 - self.event_dims)
        thresholds = self.thresholds.to(x.dtype)
        bits = (wide > thresholds).to(x.dtype)
        if self.learnable and torch.is_grad_enabled():
            soft = ((wide - thresholds) / self.temperature).sigmoid()
            bits = bits + (soft - soft.detach())
        return bits.flatten(-1 - self.event_dims, -self.event_dims)

    def extra_repr(self) -> str:
        """Show the arguments."""
        kind = ", learnable" if self.learnable else ""
        return f"{self.bits}, event_dims={self.event_dims}, {self.spacing}, shared={self.shared}{kind}"
