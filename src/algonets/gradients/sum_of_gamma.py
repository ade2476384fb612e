"""Sum-of-gamma noise: what turns the best of k items into samples of an exponential family."""

import math
from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor

from algonets._core.checks import check_at_least, check_positive, values_visible

__all__ = ["SumOfGamma"]


@final
class SumOfGamma:
    r"""Noise of which ``k`` independent copies sum to a Gumbel variable, up to the truncation of a series.

    .. math:: Z = \frac{\tau}{k}\Bigl(\sum_{i=1}^{s} \Gamma(1/k,\ \mathrm{scale}\ k/i) - \log s\Bigr)

    Args:
        k: Items that a solution chooses (the number of ones in y), positive.
        scale: The temperature.
        terms: Of the series, ``s``.

    Raises:
        ValueError: ``k`` or ``scale`` is not positive, ``terms`` is below 1.

    Differentiability: none; it has no closed density, so it serves :class:`ImplicitMLE` and
        ``Perturbed(gradient="difference")``.
    Cost: ``terms`` gamma draws an entry.
    References: Niepert, Minervini, Franceschi 2021, Implicit MLE, section 3.3, theorem 1.

    Example:
        >>> z = SumOfGamma(5).sample((2, 3), generator=torch.Generator().manual_seed(0))
        >>> z.shape
        torch.Size([2, 3])
    """

    def __init__(self, k: float, scale: float = 1.0, terms: int = 10):
        check_positive("SumOfGamma(k)", k)
        check_positive("SumOfGamma(scale)", scale)
        self.k, self.scale, self.terms = k, scale, check_at_least("SumOfGamma(terms)", terms, 1)

    def sample(
        self,
        shape: int | Sequence[int],
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Draw independent values.

        Args:
            shape: Of the result.
            generator: Source of all randomness; torch's global one if None.
            dtype: Floating, by default torch's default.
            device: By default that of the generator, else torch's default.
        """
        size = (shape,) if isinstance(shape, int) else tuple(shape)
        if device is None and generator is not None:
            device = generator.device
        gammas = _gamma(1 / self.k, (self.terms, *size), generator, dtype, device)
        order = torch.arange(1, self.terms + 1, dtype=gammas.dtype, device=gammas.device)
        series = (gammas / order.reshape(-1, *(1 for _ in size))).sum(0)
        return self.scale * (series - math.log(self.terms) / self.k)

    def __repr__(self) -> str:
        return f"SumOfGamma(k={self.k!r}, scale={self.scale!r}, terms={self.terms!r})"


def _gamma(
    shape: float,
    size: tuple[int, ...],
    generator: torch.Generator | None,
    dtype: torch.dtype | None,
    device: torch.device | str | None,
) -> Tensor:
    """Draw from a Gamma law by the squeeze of Marsaglia and Tsang 2000, all at once: torch draws one by one.

    Laws of a shape below 1 are those of shape + 1, times a power of a uniform number.
    """
    options: dict[str, Any] = {"generator": generator, "dtype": dtype, "device": device}
    d = (shape if shape >= 1 else shape + 1) - 1 / 3

    def propose(count: int) -> tuple[Tensor, Tensor]:
        x = torch.randn(count, **options)
        # Where the cube is negative its logarithm becomes so low that it is refused.
        v = (1 + x / math.sqrt(9 * d)).clamp_min(1e-12) ** 3
        refused = _log_uniform(count, options) >= 0.5 * x * x + d * (1 - v + v.log())
        return d * v, refused.nonzero().squeeze(1)

    # Traced, there is no loop whose length depends on values; only a draw shows whether vmap makes draws batched.
    if not values_visible(torch.rand(1, **options)):
        return torch.ops.aten._standard_gamma(torch.full(size, shape, dtype=dtype, device=device), generator)
    drawn, todo = propose(math.prod(size))
    while len(todo):
        again, refused = propose(len(todo))
        drawn[todo], todo = again, todo[refused]
    if shape < 1:
        drawn = drawn * (_log_uniform(len(drawn), options) / shape).exp()
    return drawn.reshape(size)


def _log_uniform(count: int, options: dict[str, Any]) -> Tensor:
    """Logarithms of uniform numbers in (0, 1]."""
    return (1 - torch.rand(count, **options)).log()
