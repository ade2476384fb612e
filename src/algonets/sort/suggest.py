"""How steep should a sorting network be? A scale from its depth and from the spread of the items."""

import math
from typing import Any

import torch
from torch import Tensor

from algonets._core.checks import check_at_least, check_positive
from algonets._core.errors import reject, reject_type, require
from algonets.distributions import Distribution
from algonets.sort.bitonic import Bitonic
from algonets.sort.comparators import ComparatorMethod, Comparators

__all__ = ["suggest_scale"]


def suggest_scale(
    n: int,
    spread: float | Tensor = 1.0,
    method: ComparatorMethod | type[ComparatorMethod] = Bitonic,
    *,
    error: float = 1 / (2 * math.pi),
) -> float:
    """Suggest the ``scale`` of the law of a sorting network.

    ``scale = error * spread / (depth * c)``, ``c`` the largest of ``u (1 - F(u))`` and ``u F(-u)`` over ``u > 0``, for
    the law at scale 1.

    The reason: at a distance ``d`` a soft comparator is off by ``d (1 - F(d / scale))``, at most ``c * scale``
    (Cauchy ``1 / pi``, logistic 0.28, reciprocal 1/2, optimal 1/16). An exact layer never enlarges the largest
    deviation, so ``L`` layers are off by at most ``L c scale``: errors add up over the layers, and a deeper network
    needs a smaller scale. The default ``error`` gives ``spread / (2 L)`` for Cauchy; at a spread of 1 that is the
    steepness of 10 for odd-even with 5 items and of 20 for bitonic with 16 items of the authors' code.

    The bound is a worst case, and met: the largest error of any value of 200 rows of standard normal items was 0.13 to
    0.159 for odd-even and bitonic, the mean error as in the table (default ``error``, Cauchy). A smaller scale is more
    exact, but its gradients reach less far: take the suggestion as the first value to try.

    ======= ===== ===== ===== ===== =====
    n       5     16    64    128   1024
    ======= ===== ===== ===== ===== =====
    OddEven 0.064 0.055 0.048 0.044
    Bitonic 0.066 0.066 0.052 0.046 0.036
    Batcher 0.050 0.043 0.032 0.028 0.021
    ======= ===== ===== ===== ===== =====

    Args:
        n: number of items, at least 1.
        spread: standard deviation of the items of a row, positive; or a tensor of typical items, rows in its last
            dimension, of which it is taken.
        method: the network, a class for its default law or an object for its law (whose scale does not matter).
        error: the largest deviation of a sorted value that is allowed, in units of ``spread``.

    Returns:
        A positive float for ``Cauchy(...)`` or the law of ``method``.

    Raises:
        TypeError: if ``method`` is no sorting network with a distribution.
        ValueError: if a number is out of range, or the law's deviation is not bounded (Levy).

    Differentiability: none.
    Cost: that of wiring the network once.
    References: the scales of Petersen, Borgelt, Kuehne, Deussen 2021, Differentiable Sorting Networks for Scalable
    Sorting and Ranking Supervision; the bound is ours.

    Example:
        >>> from algonets.sort import OddEven
        >>> [round(s, 4) for s in (suggest_scale(5, 1.0, OddEven), suggest_scale(16), suggest_scale(1024))]
        [0.1, 0.05, 0.0091]
    """
    n = check_at_least("suggest_scale(n)", n, 1)
    check_positive("suggest_scale(error)", error)
    built, law = _built(method)
    depth = max(built.network(n).depth, 1)
    return float(error) * _standard_deviation(spread) / (depth * _worst(law))


def _built(method: Any) -> tuple[ComparatorMethod, Distribution]:
    built = method
    if isinstance(method, type) and issubclass(method, ComparatorMethod) and method is not Comparators:
        built = method()
    if not isinstance(built, ComparatorMethod):
        reject_type("suggest_scale(method)", "must be a sorting network", method, "For example OddEven, or OddEven().")
    if not isinstance(built.distribution, Distribution):
        remedy = "Only a law that its scale stretches has one to suggest."
        reject_type("suggest_scale(method)", "must have a distribution as its law", built.distribution, remedy)
    return built, built.distribution


def _standard_deviation(spread: float | Tensor) -> float:
    if isinstance(spread, Tensor) and spread.ndim:
        require(spread.numel() > 1, "suggest_scale(spread)", "must hold at least two items", spread)
        spread = float(spread.detach().double().var(-1).mean().sqrt())
    remedy = "Give the standard deviation of the items of a row."
    check_positive("suggest_scale(spread)", spread, remedy)
    return float(spread)


def _worst(law: Distribution) -> float:
    """The largest error of a comparator at scale 1, over all distances."""
    u = torch.logspace(-4, 8, 6001, dtype=torch.float64)
    scale = law.scale.detach().double() if isinstance(law.scale, Tensor) else law.scale
    x = u.to(scale.device) * scale if isinstance(scale, Tensor) else u * scale
    errors = torch.stack((x * law.survival(x), x * law.cdf(-x))).detach() / scale
    if bool(errors[:, -1].max() > 1.001 * errors[:, -1000:].min()):
        rule = "must have a tail that falls at least like 1 / x, else errors grow with the distance"
        reject("suggest_scale(method)", rule, law)
    return float(errors.max())
