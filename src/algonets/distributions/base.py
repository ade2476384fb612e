"""The abstract law: validation, scaling and limits are here; a family only writes its standard law."""

import abc
import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from algonets._core.checks import as_scale, check_floating, values_visible
from algonets._core.errors import reject, reject_type, require

__all__ = ["Distribution", "check_shift", "draw_exponential", "log_or_minus_inf"]


class Distribution(abc.ABC):
    """A continuous law on the real line with a scale: ``X = scale * (U + location)``, U the standard law.

    The location is 0 except for the families that have a ``shift``. Every method takes a floating tensor of
    any shape (half types are computed in float32), broadcasts it against ``scale``, and returns the dtype of
    its argument. NaN gives NaN, and +-inf gives the limit of the law with a zero gradient.

    Args:
        scale: positive float, or positive tensor (it may require a gradient) that broadcasts against ``x``.
            The smaller, the closer the CDF is to the hard step at 0; below the smallest normal number of
            the dtype it acts as that number.

    Raises:
        TypeError: if ``scale`` is neither a number nor a floating tensor.
        ValueError: if ``scale`` is not positive and finite.

    Differentiability: with respect to ``x`` and ``scale``, as often as the family states; plain autograd.
    Cost: a few element-wise operations for each call, time and memory O(size of the result).
    """

    symmetric: ClassVar[bool] = False
    """Whether ``cdf(-x) = 1 - cdf(x)``; such a law has median 0."""

    _extra: ClassVar[tuple[str, ...]] = ()
    _support: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    _score_limits: ClassVar[tuple[float, float]] = (0.0, 0.0)
    _safe_at_infinity: ClassVar[bool] = False
    """Whether the formulas give limits and zero derivatives at +-inf by themselves, and NaN at NaN."""

    def __init__(self, scale: float | Tensor = 1.0):
        self.scale = as_scale(f"{type(self).__name__}(scale=...)", scale)

    # ---- what a family writes: the standard law

    @abc.abstractmethod
    def _cdf(self, u: Tensor) -> Tensor:
        """CDF at ``u``, finite unless the family is ``_safe_at_infinity``."""

    @abc.abstractmethod
    def _survival(self, u: Tensor) -> Tensor:
        """``1 - cdf``, accurate where it is small."""

    @abc.abstractmethod
    def _pdf(self, u: Tensor) -> Tensor:
        """Density."""

    @abc.abstractmethod
    def _score(self, u: Tensor) -> Tensor:
        """``d/du log pdf``, 0 outside the support."""

    @abc.abstractmethod
    def _quantile(self, q: Tensor, p: Tensor) -> Tensor:
        """Inverse CDF at ``q`` in (0, 1), given ``p = 1 - q`` too, so that both tails stay accurate."""

    @property
    @abc.abstractmethod
    def _mean(self) -> float:
        """Mean, infinite or NaN where it is so."""

    @property
    def _location(self) -> float | Tensor:
        return 0.0

    def _log_survival(self, u: Tensor) -> Tensor:
        return _log_of_one_side(self._survival(u), self._cdf(u))

    def _log_cdf(self, u: Tensor) -> Tensor:
        return _log_of_one_side(self._cdf(u), self._survival(u))

    def _draw(self, shape: tuple[int, ...], generator: torch.Generator | None, like: Tensor) -> Tensor:
        q = torch.rand(shape, generator=generator, dtype=like.dtype, device=like.device)
        # rand yields multiples of eps/2 in [0, 1): move 0 by half a step, away from an infinite quantile.
        q = q.clamp_min(torch.finfo(like.dtype).eps / 4)
        return self._quantile(q, 1 - q)

    # ---- public

    def cdf(self, x: Tensor) -> Tensor:
        """``F(x) = P(X <= x)``: the soft step, in [0, 1], non-decreasing.

        Args:
            x: floating tensor, any shape.

        Returns:
            Tensor of the broadcast shape of ``x`` and ``scale``, dtype of ``x``.

        Raises:
            TypeError: if ``x`` is not a floating tensor.
        """
        return self._evaluate("cdf", self._cdf, x, 0.0, 1.0)

    def survival(self, x: Tensor) -> Tensor:
        """``1 - F(x)``, accurate where it is small; arguments as :meth:`cdf`."""
        return self._evaluate("survival", self._survival, x, 1.0, 0.0)

    def log_survival(self, x: Tensor) -> Tensor:
        """``log(1 - F(x))``, accurate in both tails; -inf with a zero gradient beyond the support."""
        return self._evaluate("log_survival", self._log_survival, x, 0.0, -math.inf)

    def log_cdf(self, x: Tensor) -> Tensor:
        """``log F(x)``, accurate in both tails; -inf with a zero gradient before the support."""
        return self._evaluate("log_cdf", self._log_cdf, x, -math.inf, 0.0)

    def pdf(self, x: Tensor) -> Tensor:
        """``f(x) = dF/dx``, the density; at a kink of the CDF, the slope that autograd gives there."""
        return self._evaluate("pdf", self._pdf, x, 0.0, 0.0, per_scale=True)

    def score(self, x: Tensor) -> Tensor:
        """``d/dx log f(x)``, 0 where the density is zero; at a peak with a corner it is 0 as well."""
        return self._evaluate("score", self._score, x, *self._score_limits, per_scale=True)

    def quantile(self, q: Tensor) -> Tensor:
        """The inverse CDF.

        Args:
            q: floating tensor of probabilities in [0, 1], any shape; outside of it the result is NaN.

        Returns:
            Tensor ``x`` with ``cdf(x) = q``; at 0 and 1 the ends of :attr:`support`, with a zero gradient.

        Raises:
            TypeError: if ``q`` is not a floating tensor.
        """
        wide = self._widen("quantile", "q", q)
        inside = (wide > 0) & (wide < 1)
        safe = torch.where(inside, wide, 0.5)
        x = self._stretch(self._quantile(safe, 1 - safe))
        low, high = (self._end(end, wide) for end in self._support)
        nan = wide.new_full((), math.nan)
        return torch.where(inside, x, torch.where(wide == 0, low, torch.where(wide == 1, high, nan))).to(q.dtype)

    def sample(
        self,
        shape: int | Sequence[int],
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Independent draws, reparameterised: the gradient flows to ``scale``.

        Args:
            shape: shape of the result; ``scale`` must broadcast to it.
            generator: source of all randomness; torch's global one if None.
            dtype: floating; default that of a tensor ``scale``, else torch's default.
            device: default that of a tensor ``scale``, else the generator's, else torch's default.

        Returns:
            Tensor of ``shape``.

        Raises:
            TypeError: if ``dtype`` is not floating.
            ValueError: if ``scale`` does not broadcast to ``shape``.
        """
        call = f"{type(self).__name__}.sample"
        size = (shape,) if isinstance(shape, int) else tuple(shape)
        scale = self.scale if isinstance(self.scale, Tensor) else None
        if device is None:
            device = scale.device if scale is not None else generator.device if generator is not None else None
        if dtype is None:
            dtype = scale.dtype if scale is not None else torch.get_default_dtype()
        if not dtype.is_floating_point:
            raise TypeError(f"{call}(dtype=...) must be a floating-point dtype, got {dtype}. Use torch.float32.")
        if scale is not None and not _fits(scale.shape, size):
            reject(f"{call}(shape=...)", f"must be one that scale {tuple(scale.shape)} broadcasts to", size)
        like = torch.empty(0, dtype=_compute_dtype(dtype), device=device)
        return self._stretch(self._draw(size, generator, like)).to(dtype)

    @property
    def support(self) -> tuple[float | Tensor, float | Tensor]:
        """Ends of the interval outside which the density is zero, in the unit of ``x``."""
        low, high = (end if math.isinf(end) else self.scale * (end + self._location) for end in self._support)
        return low, high

    @property
    def mean(self) -> float | Tensor:
        """Expected value; infinite, or NaN where it does not exist (Cauchy, reciprocal, optimal)."""
        return self._mean if not math.isfinite(self._mean) else self.scale * (self._mean + self._location)

    # ---- scaling and limits

    def _widen(self, method: str, name: str, value: Any) -> Tensor:
        value = check_floating(f"{type(self).__name__}.{method}({name})", value)
        return value.to(_compute_dtype(value.dtype))

    def _scale_like(self, value: Tensor) -> float | Tensor:
        tiny = torch.finfo(value.dtype).tiny
        if isinstance(self.scale, Tensor):
            return self.scale.to(value.dtype).clamp_min(tiny)
        return max(self.scale, tiny)

    def _standardise(self, x: Tensor) -> Tensor:
        scale = self._scale_like(x)
        if not isinstance(scale, Tensor):
            return x / scale - self._location
        # u = x / scale, with d/dscale taken as -(g * u) / scale: as -g * (u / scale), a small scale
        # overflows in the bracket and gives NaN where g is 0.
        fixed = scale.detach()
        u = x / fixed
        far = u.isinf()
        return torch.where(far, u.detach(), u.masked_fill(far, 0.0) * (fixed / scale)) - self._location

    def _stretch(self, u: Tensor) -> Tensor:
        return self._scale_like(u) * (u + self._location)

    def _end(self, end: float, like: Tensor) -> Tensor:
        value = like.new_full((), end)
        return value if math.isinf(end) else self._stretch(value)

    def _evaluate(
        self,
        method: str,
        law: Callable[[Tensor], Tensor],
        x: Any,
        below: float,
        above: float,
        per_scale: bool = False,
    ) -> Tensor:
        wide = self._widen(method, "x", x)
        u = self._standardise(wide)
        if self._safe_at_infinity:
            value = law(u)
        else:
            # nan_to_num is one kernel, and its gradient is 0 at inf and NaN.
            finite = u.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
            limit = u.detach().nan_to_num(nan=math.nan, posinf=above, neginf=below)
            value = torch.where(finite == u, law(finite), limit)
        return (value / self._scale_like(wide) if per_scale else value).to(x.dtype)

    # ---- identity

    def _parameters(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("scale", *self._extra)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self._parameters().items())})"

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other) or not isinstance(other, Distribution):
            return NotImplemented
        mine, theirs = self._parameters().values(), other._parameters().values()
        return all(_same(a, b) for a, b in zip(mine, theirs, strict=True))

    def __hash__(self) -> int:
        return hash((type(self), *(v for v in self._parameters().values() if not isinstance(v, Tensor))))


def log_or_minus_inf(value: Tensor) -> Tensor:
    """``log(value)``, and -inf with a zero gradient at 0."""
    positive = value > 0
    return torch.where(positive, value.where(positive, 1.0).log(), -math.inf)


def draw_exponential(shape: tuple[int, ...], generator: torch.Generator | None, like: Tensor) -> Tensor:
    """Standard exponential draws, never 0; ``exponential_`` would work in place, which ``vmap`` refuses."""
    uniform = torch.rand(shape, generator=generator, dtype=like.dtype, device=like.device)
    return -torch.log1p(-uniform).clamp_max(-torch.finfo(like.dtype).tiny)


def check_shift(call: str, shift: Any) -> float | Tensor:
    """Require a finite number or floating tensor."""
    if isinstance(shift, Tensor):
        check_floating(call, shift)
        visible = values_visible(shift)
        require(not visible or bool(shift.detach().isfinite().all()), call, "must be finite", shift)
        return shift
    if isinstance(shift, bool) or not isinstance(shift, numbers.Real):
        reject_type(call, "must be a number or a floating-point tensor", shift)
    require(math.isfinite(float(shift)), call, "must be finite", shift)
    return float(shift)


def _log_of_one_side(side: Tensor, other: Tensor) -> Tensor:
    """``log(side)`` by way of ``side`` or of ``other = 1 - side``, whichever is small."""
    large = side > 0.5
    return torch.where(large, torch.log1p(-other.where(large, 0.0)), log_or_minus_inf(side))


def _compute_dtype(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def _fits(shape: tuple[int, ...], size: tuple[int, ...]) -> bool:
    return len(shape) <= len(size) and all(a in (1, b) for a, b in zip(reversed(shape), reversed(size), strict=False))


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.dtype == b.dtype and a.device == b.device and torch.equal(a, b)
    return not isinstance(a, Tensor) and not isinstance(b, Tensor) and a == b
