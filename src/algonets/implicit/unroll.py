"""A fixed number of iterations as layers of a network."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from algonets._core.checks import check_at_least
from algonets._core.errors import reject_type

__all__ = ["unroll"]


@dataclass(frozen=True)
class _Unrolled:
    step: Callable[..., Any]
    n: int

    def __call__(self, z: Any, *args: Any) -> Any:
        for _ in range(self.n):
            z = self.step(z, *args)
        return z


def unroll(step: Callable[..., Any], n: int) -> Callable[..., Any]:
    r"""Turn n iterations of a step into n layers that share their parameters: the *unroll* way.

    .. math:: z_n = f(f(\cdots f(z_0, \theta) \cdots, \theta), \theta)

    Nothing is solved: no tolerance, no freezing. For the gradients of a converged iteration see
    :func:`fixed_point` and :class:`Unroll`.

    Args:
        step: ``step(z, *args)``, a pytree like z.
        n: Iterations, ``>= 0``.

    Returns:
        A callable ``(z0, *args)`` that gives ``z_n``.

    Raises:
        TypeError: ``step`` cannot be called; ``n`` is no integer.
        ValueError: ``n`` is negative.

    Differentiability: as the step, also to ``z0``.
    Cost: n steps, time and memory.
    References: K. Gregor, Y. LeCun, *Learning Fast Approximations of Sparse Coding*, ICML 2010.

    Example:
        >>> import torch
        >>> halve = unroll(lambda z, a: a * z, 3)
        >>> halve(torch.ones(2), 0.5)
        tensor([0.1250, 0.1250])
    """
    if not callable(step):
        reject_type("unroll(step)", "must be callable", step)
    return _Unrolled(step, check_at_least("unroll(n)", n, 0))
