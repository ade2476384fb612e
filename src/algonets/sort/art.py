"""The activation replacement trick: a logistic comparator that is steep at ties and patient far away."""

from typing import final

import torch
from torch import Tensor

from algonets._core.checks import check_floating
from algonets._core.errors import reject_type, require
from algonets.distributions import Logistic

__all__ = ["LogisticART"]

_GUARD = 1e-10
"""Added to ``|x|``: without it the slope at a tie is infinite. That of the authors' code, so that results agree."""


@final
class LogisticART:
    """Logistic comparator with the activation replacement trick (ART), for the sorting networks.

    ``alpha = 1 / (1 + exp(-phi(x) / scale))``, ``phi(x) = x / (|x| + 1e-10)^power``, at the difference ``x`` of two
    items. Differences well below 1 are blown up and those above 1 shrunk, which keeps the items of a deep network from
    running into the flat parts of the logistic function. It is no law of one scale (items in other units get another
    curve: bring them to a spread of about 1), but has the one method that comparators need.

    Args:
        scale: positive float, or a positive tensor of one element that may need a gradient; in the units of
            ``x^(1 - power)``.
        power: in [0, 1); 0 is ``Logistic(scale)``.

    Raises:
        TypeError: if an argument is not of its type.
        ValueError: if ``scale`` is not positive or ``power`` is outside [0, 1).

    Differentiability: once; the second derivative jumps at 0. Steep at ties: the slope there is
    ``10^(10 power) / (4 scale)``, 79 / ``scale`` at the default power, hence gradients of the order of 100 between
    equal items (finite, never NaN).
    Cost: a few element-wise operations.
    References: Petersen, Borgelt, Kuehne, Deussen 2021, Differentiable Sorting Networks for Scalable Sorting and
    Ranking Supervision, section 3.2.

    Example:
        >>> LogisticART(scale=0.5).cdf(torch.tensor([-1.0, 0.0, 0.0001]))
        tensor([0.1192, 0.5000, 0.5005])
    """

    def __init__(self, scale: float | Tensor = 1.0, power: float = 0.25):
        self._law = Logistic(scale)
        self.scale = self._law.scale
        if isinstance(power, bool) or not isinstance(power, int | float):
            reject_type("LogisticART(power)", "must be a number", power)
        require(0 <= power < 1, "LogisticART(power)", "must be in [0, 1)", power, "The paper takes 0.25.")
        self.power = float(power)

    def cdf(self, x: Tensor) -> Tensor:
        """The soft step, in [0, 1].

        Args:
            x: floating tensor of differences, any shape; +-inf give 1 and 0.

        Returns:
            Tensor of the shape and dtype of ``x``.

        Raises:
            TypeError: if ``x`` is not a floating tensor.
        """
        check_floating("LogisticART.cdf(x)", x)
        wide = x.float() if x.dtype.itemsize < 4 else x
        most = torch.finfo(wide.dtype).max
        wide = wide.clamp(-most, most)  # inf * inf^-power would be NaN
        return self._law.cdf(wide * (wide.abs() + _GUARD).pow(-self.power)).to(x.dtype)

    def __repr__(self) -> str:
        return f"LogisticART(scale={self.scale!r}, power={self.power!r})"
