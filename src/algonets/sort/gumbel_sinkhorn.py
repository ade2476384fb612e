"""Gumbel-Sinkhorn: random relaxed permutations."""

import math

import torch
from torch import Tensor

from algonets._core.checks import check_at_least, check_finite_or_minus_inf
from algonets._core.errors import reject_type, require
from algonets.distributions import GumbelMax
from algonets.projections.birkhoff import check_square, sinkhorn
from algonets.sort.hungarian import hungarian

__all__ = ["gumbel_sinkhorn"]


def gumbel_sinkhorn(
    scores: Tensor,
    temperature: float | Tensor = 1.0,
    *,
    samples: int = 1,
    noise_scale: float = 1.0,
    generator: torch.Generator | None = None,
    hard: bool = False,
    iterations: int = 200,
    tolerance: float = 1e-9,
) -> Tensor:
    """Draw relaxed permutations: :func:`sinkhorn` of scores with Gumbel noise.

    ``P = sinkhorn(scores + noise_scale G, temperature)``, ``G`` independent standard Gumbel; as the temperature goes
    to 0, ``P`` is the best assignment under the noise.

    Args:
        scores: as in :func:`sinkhorn`.
        temperature: as in :func:`sinkhorn`.
        samples: how many matrices an example.
        noise_scale: not negative; 0 adds no noise.
        generator: source of the noise, by default that of the device.
        hard: return the best assignments themselves, with the gradient of the relaxed ones (straight-through).
        iterations: as in :func:`sinkhorn`.
        tolerance: as in :func:`sinkhorn`.

    Returns:
        ``(samples, *batch, n, n)``.

    Raises:
        TypeError: as :func:`sinkhorn`.
        ValueError: as :func:`sinkhorn`; if ``samples < 1`` or ``noise_scale < 0``.

    Differentiability: as :func:`sinkhorn`, the noise being held (pathwise).
    Cost: ``samples`` times :func:`sinkhorn`; with ``hard`` also :func:`hungarian`.
    References: Mena, Belanger, Linderman, Snoek 2018, Learning Latent Permutations with Gumbel-Sinkhorn Networks.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> gumbel_sinkhorn(torch.zeros(3, 3), 0.1, samples=2, generator=g).sum(-1)
        tensor([[1., 1., 1.],
                [1., 1., 1.]])
    """
    count = check_at_least("gumbel_sinkhorn(samples)", samples, 1)
    if isinstance(noise_scale, bool) or not isinstance(noise_scale, int | float):
        reject_type("gumbel_sinkhorn(noise_scale)", "must be a number", noise_scale)
    require(0 <= noise_scale < math.inf, "gumbel_sinkhorn(noise_scale)", "must not be negative", noise_scale)
    check_square("gumbel_sinkhorn(scores)", scores)
    check_finite_or_minus_inf("gumbel_sinkhorn(scores)", scores)
    shape = (count, *scores.shape)
    noise = GumbelMax().sample(shape, generator=generator, dtype=torch.float64, device=scores.device)
    noisy = scores + noise_scale * noise.to(scores.dtype)
    relaxed = sinkhorn(noisy, temperature, iterations=iterations, tolerance=tolerance)
    return hungarian(noisy).detach() + (relaxed - relaxed.detach()) if hard else relaxed
