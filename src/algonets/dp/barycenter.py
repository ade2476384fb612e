"""Averages of time series under soft-DTW."""

import torch

from algonets._core.checks import check_at_least, check_finite, check_floating, check_positive, check_same_kind
from algonets._core.errors import require
from algonets.dp._chain_factors import check_lengths
from algonets.dp.soft_dtw import SoftDTW, squared_distances

__all__ = ["soft_dtw_barycenter"]


def soft_dtw_barycenter(
    series: torch.Tensor,
    temperature: float = 1.0,
    weights: torch.Tensor | None = None,
    lengths: torch.Tensor | None = None,
    start: torch.Tensor | None = None,
    iterations: int = 50,
) -> torch.Tensor:
    r"""Return the series z that is nearest to all given ones, on average.

    .. math:: \arg\min_z \sum_k \frac{w_k}{n_k}\, \text{dtw}_\tau(z, x_k)

    Found by L-BFGS with the exact gradient, from a start in whose basin it stays.

    Args:
        series: ``(k, n, d)``: k series of n points (padded) of d dimensions.
        temperature: :math:`\tau > 0`; the higher, the smoother the average, and the fewer bad minima.
        weights: ``(k,)`` non-negative; equal by default.
        lengths: Points of each series, ``(k,)``; all n by default.
        start: ``(m, d)``, which also sets how many points the average has; by default the mean of the series, each
            stretched to n points.
        iterations: Most steps of L-BFGS.

    Returns:
        ``(m, d)``.

    Raises:
        ValueError, TypeError: wrong shapes or dtypes, NaN or inf, a temperature that is not positive.

    Differentiability: none; it is a solver. For a layer minimise the same sum with ``algonets.implicit.argmin``.

    Cost: ``iterations`` times k soft-DTWs with their gradients.

    References:
        M. Cuturi, M. Blondel, *Soft-DTW*, ICML 2017, section 3.1.

    Example:
        >>> early, late = torch.zeros(2, 20, 1)
        >>> early[5], late[12] = 1.0, 1.0
        >>> mean = soft_dtw_barycenter(torch.stack([early, late]), 0.01)
        >>> bool(mean.max() > 0.9)  # one peak; the pointwise mean has two halves
        True
    """
    call = "soft_dtw_barycenter"
    check_floating(f"{call}(series)", series)
    good = series.ndim == 3 and min(series.shape) >= 1
    require(good, f"{call}(series)", "must have shape (k, n, d), none of them 0", series)
    check_positive(f"{call}(temperature)", temperature)
    iterations = check_at_least(f"{call}(iterations)", iterations, 1)
    count, n, _ = series.shape
    sizes = check_lengths(f"{call}(lengths)", lengths, torch.Size([count]), n, series.device)
    inside = torch.arange(n, device=series.device) < sizes[:, None]
    series = torch.where(inside.unsqueeze(2), series.detach(), 0.0).to(torch.promote_types(series.dtype, torch.float32))
    check_finite(f"{call}(series)", series)
    if weights is None:
        weights = torch.full((count,), 1.0 / count, dtype=series.dtype, device=series.device)
    check_floating(f"{call}(weights)", weights)
    good = weights.shape == (count,) and bool((weights >= 0).all()) and bool(0 < weights.sum() < torch.inf)
    require(good, f"{call}(weights)", f"must be {count} numbers of at least 0, not all 0", weights)
    if start is None:
        stretched = [
            torch.nn.functional.interpolate(x[:m].T[None], size=n, mode="linear", align_corners=True)[0].T
            for x, m in zip(series, sizes.tolist(), strict=True)
        ]
        start = (torch.stack(stretched) * weights[:, None, None]).sum(0) / weights.sum()
    check_floating(f"{call}(start)", start)
    require(start.ndim == 2 and start.shape[1] == series.shape[2], f"{call}(start)", "must have shape (m, d)", start)
    z = start.detach().to(series).clone().requires_grad_()
    check_same_kind(f"{call}(start)", z, series, "series")
    share = weights.to(series) / sizes
    optimizer = torch.optim.LBFGS([z], max_iter=iterations, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        distances = squared_distances(call, z.expand(count, -1, -1), series)
        loss = (share * SoftDTW(distances, temperature, target_lengths=sizes).value()).sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)  # pyright: ignore[reportArgumentType]
    return z.detach()
