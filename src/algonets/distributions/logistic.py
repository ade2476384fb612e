"""The logistic law: its CDF is the sigmoid."""

from typing import ClassVar, final

import torch
from torch import Tensor

from algonets.distributions.symmetric import AbstractSymmetric

__all__ = ["Logistic"]


@final
class Logistic(AbstractSymmetric):
    """Logistic law, ``F(x) = 1 / (1 + exp(-x / scale))``. The common choice.

    Args:
        scale: positive float or tensor.

    Differentiability: infinitely often.
    References: Petersen, Borgelt, Kuehne, Deussen 2021, Differentiable Sorting Networks for Scalable Sorting
        and Ranking Supervision.

    Example:
        >>> Logistic(scale=0.5).cdf(torch.tensor([-1.0, 0.0, 1.0]))
        tensor([0.1192, 0.5000, 0.8808])
    """

    _safe_at_infinity: ClassVar[bool] = True

    def _cdf(self, u: Tensor) -> Tensor:
        return torch.sigmoid(u)

    def _survival(self, u: Tensor) -> Tensor:
        return torch.sigmoid(-u)

    def _log_survival(self, u: Tensor) -> Tensor:
        return torch.nn.functional.logsigmoid(-u)

    def _log_cdf(self, u: Tensor) -> Tensor:
        return torch.nn.functional.logsigmoid(u)

    def _tail(self, a: Tensor) -> Tensor:
        return torch.sigmoid(-a)

    def _tail_quantile(self, m: Tensor) -> Tensor:
        return torch.log1p(-m) - torch.log(m)

    def _density(self, a: Tensor) -> Tensor:
        return torch.sigmoid(a) * torch.sigmoid(-a)

    def _decay(self, a: Tensor) -> Tensor:
        return torch.tanh(a / 2)
